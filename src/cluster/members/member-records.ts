import type { Directory } from '../../directory/directory.js'
import type { Value } from '../../domain/cbor.js'
import type { FormatRange } from '../../domain/formats.js'
import type { NodeId } from '../../domain/ids.js'
import { type Change, conflictVersions, type DirectoryRecord, shownVersion } from '../../domain/record.js'
import { mapOf, numberOf, textOf, timeOf } from '../../domain/value-fields.js'
import { boundedAddresses } from '../../network/membership/heartbeat.js'
import type { Departure, MemberRecord, MemberStore } from '../../network/membership/member-view.js'
import type { RecordWriter } from '../../store/record-writer.js'

const MEMBER_KIND = 'member'
const NAME_CHARACTERS_MAX = 256
const FORMAT_LAST = 0xffff
/** The greatest that `--purge-days` takes. */
const PURGE_DAYS_MAX = 36_500

/** What this node tells the others in its record, so that it counts while it is absent, too. */
export type MemberTerms = Required<Pick<MemberRecord, 'formats' | 'purgeDays'>>

export interface MemberRecordsComponents {
  readonly directory: Pick<Directory, 'getSync' | 'records' | 'onChange'>
  readonly writer: Pick<RecordWriter, 'write'>
  /** Wall clock, ms since the Unix epoch. */
  readonly now: () => number
  /** Of this node. */
  readonly terms: MemberTerms
}

/**
 * Members as records of the directory, which are replicated as photos are. So a joining node also learns of absent members.
 * A node writes its own record; other members write its departure and readmission into it. As with photos, a delete beats
 * concurrent edits, and a readmission begins the next generation.
 */
export class MemberRecords implements MemberStore {
  readonly #components: MemberRecordsComponents

  constructor(components: MemberRecordsComponents) {
    this.#components = components
  }

  async load(): Promise<readonly MemberRecord[]> {
    const members: MemberRecord[] = []
    for await (const record of this.#components.directory.records(MEMBER_KIND)) members.push(memberOf(record))
    return members
  }

  onChange(listener: (member: MemberRecord) => void): () => void {
    return this.#components.directory.onChange(changes => {
      for (const { after } of changes) if (after?.kind === MEMBER_KIND) listener(memberOf(after))
    })
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE` */
  get(id: NodeId): MemberRecord | undefined {
    const stored = this.#components.directory.getSync(keyOf(id))
    return stored && memberOf(stored.record)
  }

  async save({ id, name, addresses }: Pick<MemberRecord, 'id' | 'name' | 'addresses'>): Promise<void> {
    const record = this.get(id)
    const { formats, purgeDays } = this.#components.terms
    const own = { name, addresses, formats, purgeDays }
    if (record?.departure !== undefined || (record !== undefined && isSame(record, own))) return
    await this.#write(id, (value, before) => {
      const joinedAtMs = before === undefined ? undefined : memberOf(before).joinedAtMs
      if (before !== undefined && shownVersion(before).deleted) return []
      const joined_at = joinedAtMs ?? this.#components.now()
      const told = { name, addresses, formats: [formats.min, formats.max], purge_days: purgeDays }
      return [version(before, { ...value, ...told, joined_at })]
    })
  }

  /** Writes that a node is no longer a member. */
  async depart(id: NodeId, how: Departure['how']): Promise<void> {
    await this.#write(id, (value, before) => {
      if (before !== undefined && shownVersion(before).deleted) return []
      return [{ ...version(before, { ...value, how }), deleted: true }]
    })
  }

  /** Writes that a departed node is a member again. */
  async readmit(id: NodeId): Promise<void> {
    await this.#write(id, (value, before) => {
      if (before === undefined || !shownVersion(before).deleted) return []
      const generation = shownVersion(before).generation + 1
      return [{ ...version(before, { ...value, how: undefined }), generation, deleted: false }]
    })
  }

  async #write(
    id: NodeId,
    decide: (
      value: Readonly<Record<string, Value | undefined>>,
      before: DirectoryRecord | undefined
    ) => readonly Change[]
  ): Promise<void> {
    await this.#components.writer.write(keyOf(id), before => {
      return decide(before === undefined ? {} : Object.fromEntries(shownVersion(before).value), before)
    })
  }
}

function keyOf(id: NodeId): { readonly kind: string; readonly id: string } {
  return { kind: MEMBER_KIND, id }
}

/** Supersedes conflicts as well: a data folder copied to another machine may have written under the same id. */
function version(
  before: DirectoryRecord | undefined,
  fields: Readonly<Record<string, Value | undefined>>
): Extract<Change, { kind: 'version' }> {
  const supersedes = before && [shownVersion(before), ...conflictVersions(before)].map(({ dot }) => dot)
  return { kind: 'version', value: mapOf(fields), ...(supersedes === undefined ? {} : { supersedes }) }
}

/** Lenient, since another node may have written the record. */
function memberOf(record: DirectoryRecord): MemberRecord {
  const { value, deleted } = shownVersion(record)
  const member = {
    id: record.id as NodeId,
    name: (textOf(value, 'name') ?? '').slice(0, NAME_CHARACTERS_MAX),
    addresses: boundedAddresses(textsIn(value.get('addresses'))),
    joinedAtMs: timeOf(value, 'joined_at'),
    ...termsIn(value)
  }
  return deleted ? { ...member, departure: departureOf(record) } : member
}

function departureOf(record: DirectoryRecord): Departure {
  const { value, hlc } = shownVersion(record)
  return { how: textOf(value, 'how') === 'left' ? 'left' : 'removed', at: hlc }
}

function textsIn(value: Value | undefined): string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}

function termsIn(value: ReadonlyMap<string, Value>): Partial<MemberTerms> {
  const formats = formatsIn(value.get('formats'))
  const purgeDays = numberOf(value, 'purge_days')
  const isPossible = purgeDays !== undefined && purgeDays >= 0 && purgeDays <= PURGE_DAYS_MAX
  return { ...(formats && { formats }), ...(isPossible && { purgeDays }) }
}

function formatsIn(value: Value | undefined): FormatRange | undefined {
  const [min, max, ...rest] = Array.isArray(value) ? value : []
  if (!isFormat(min) || !isFormat(max) || rest.length > 0 || min > max) return undefined
  return { min, max }
}

function isFormat(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= FORMAT_LAST
}

function isSame(record: MemberRecord, own: Omit<MemberRecord, 'id' | 'joinedAtMs'>): boolean {
  const told = ({ name, addresses, formats, purgeDays }: typeof own): string =>
    JSON.stringify([name, addresses, formats?.min, formats?.max, purgeDays])
  return told(record) === told(own)
}
