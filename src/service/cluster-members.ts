import type { Directory } from '../directory/directory.js'
import type { Value } from '../domain/cbor.js'
import type { NodeId } from '../domain/ids.js'
import { conflictVersions, type DirectoryRecord, shownVersion } from '../domain/record.js'
import { integerOf, mapOf, textOf } from '../domain/value-fields.js'
import { tellable } from '../network/beat.js'
import type { KnownMember, MemberStore } from '../network/membership-view.js'
import type { RecordWriter } from './record-writer.js'

const MEMBER_KIND = 'member'
const NAME_CHARACTERS_MAX = 256

export interface MemberRecordsComponents {
  readonly directory: Pick<Directory, 'getSync' | 'records' | 'onChange'>
  readonly writer: Pick<RecordWriter, 'write'>
  /** Wall clock, ms since the Unix epoch. */
  readonly now: () => number
}

/**
 * Members as records of the directory: one for each node, which only that node writes, and which reach everybody as photos
 * do. So whoever joins also learns of members that are absent.
 */
export class MemberRecords implements MemberStore {
  readonly #components: MemberRecordsComponents

  constructor(components: MemberRecordsComponents) {
    this.#components = components
  }

  async load(): Promise<readonly KnownMember[]> {
    const members: KnownMember[] = []
    for await (const record of this.#components.directory.records(MEMBER_KIND)) members.push(memberOf(record))
    return members
  }

  onChange(listener: (member: KnownMember) => void): () => void {
    return this.#components.directory.onChange(changes => {
      for (const { after } of changes) if (after.kind === MEMBER_KIND) listener(memberOf(after))
    })
  }

  async save({ id, name, addresses }: Pick<KnownMember, 'id' | 'name' | 'addresses'>): Promise<void> {
    const { directory, writer, now } = this.#components
    const key = { kind: MEMBER_KIND, id }
    const stored = directory.getSync(key)
    if (stored !== undefined && saysSo(memberOf(stored.record), name, addresses)) return
    await writer.write(key, before => {
      const joinedAtMs = before === undefined ? undefined : memberOf(before).joinedAtMs
      const value = mapOf({ name, addresses, joined_at: joinedAtMs ?? now() })
      // a folder restored elsewhere may have written under the same id; nobody wants to choose between the two
      const supersedes = before && [shownVersion(before), ...conflictVersions(before)].map(({ dot }) => dot)
      return [{ kind: 'version', value, ...(supersedes === undefined ? {} : { supersedes }) }]
    })
  }
}

/** Lenient: another node wrote it. */
function memberOf(record: DirectoryRecord): KnownMember {
  const { value } = shownVersion(record)
  return {
    id: record.id as NodeId,
    name: (textOf(value, 'name') ?? '').slice(0, NAME_CHARACTERS_MAX),
    addresses: tellable(textsIn(value.get('addresses'))),
    joinedAtMs: integerOf(value, 'joined_at')
  }
}

function textsIn(value: Value | undefined): string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}

function saysSo(known: KnownMember, name: string, addresses: readonly string[]): boolean {
  return known.name === name && known.addresses.join('\n') === addresses.join('\n')
}
