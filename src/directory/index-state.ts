import type { AbstractSnapshot } from 'abstract-level'
import { INDEX_VERSION, type IndexLanguage } from '../domain/terms.js'
import { DamageError } from './damage.js'
import type { Database } from './database.js'
import { type Generation, type IndexTables, indexTables } from './index-keys.js'
import { type IndexLanguages, PLAIN_LANGUAGES } from './index-languages.js'
import { openSealed, type Row, sealedRow } from './keys.js'

const SERVED_KEY = Uint8Array.of(0x11)
export const BUILDING_KEY = Uint8Array.of(0x12)
const VERSION_BYTES = 4
const FIRST_VERSION = 1

/** An index, of one generation, in one language. */
export interface Index {
  readonly language: IndexLanguage
  readonly generation: Generation
  readonly tables: IndexTables
}

/** An index that is being made: it has the records up to a key. */
export interface BuiltIndex extends Index {
  /** Key of the last record row that is in it; undefined: none is. */
  readonly reached: Uint8Array | undefined
}

/** Which indexes there are. */
export interface IndexState {
  /** What is read. */
  readonly served: Index
  /** What is to replace it. */
  readonly built: BuiltIndex | undefined
  /** Whether rows of an index that is neither may be there. */
  readonly isOtherStale: boolean
}

export function indexOf(language: IndexLanguage, generation: Generation): Index {
  return { language, generation, tables: indexTables(generation) }
}

/** @returns whether the record is in the index already, or would be */
export function holds({ reached }: BuiltIndex, recordRowKey: Uint8Array): boolean {
  return reached !== undefined && Buffer.compare(recordRowKey, reached) <= 0
}

export function servedRow({ language, generation }: Index): Row {
  return sealedRow(SERVED_KEY, versionBytes(language.version), Uint8Array.of(generation))
}

/** @param reached - key of a record row */
export function buildingRow({ language }: Index, reached: Uint8Array): Row {
  return sealedRow(BUILDING_KEY, versionBytes(language.version), reached)
}

/**
 * @param snapshot - default: as it is now
 * @throws {@link DamageError}, also for an index that this program cannot keep
 */
export async function loadIndexState(
  database: Pick<Database, 'get'>,
  languages: IndexLanguages = PLAIN_LANGUAGES,
  snapshot?: AbstractSnapshot
): Promise<IndexState> {
  const get = (key: Uint8Array): Promise<Uint8Array | undefined> => database.get(key, { snapshot })
  const { wanted } = languages
  const served = servedIn(await get(SERVED_KEY), languages)
  if (served.language === wanted) return { served, built: undefined, isOtherStale: true }
  const built = indexOf(wanted, served.generation === 0 ? 1 : 0)
  const row = await get(BUILDING_KEY)
  const payload = row && openSealed(BUILDING_KEY, row)
  const isContinued = payload !== undefined && payload.readUInt32BE(0) === wanted.version
  const reached = isContinued ? Uint8Array.from(payload.subarray(VERSION_BYTES)) : undefined
  return { served, built: { ...built, reached }, isOtherStale: !isContinued }
}

/** @param row - absent where no later version of Sheaf has written one */
function servedIn(row: Uint8Array | undefined, { known }: IndexLanguages): Index {
  const payload = row && openSealed(SERVED_KEY, row, VERSION_BYTES + 1)
  const version = payload?.readUInt32BE(0) ?? FIRST_VERSION
  const generation = payload?.[VERSION_BYTES] ?? 0
  const language = known.find(one => one.version === version)
  if (language === undefined || generation > 1)
    throw new DamageError(`its index has version ${version}; this version of Sheaf has ${INDEX_VERSION}`)
  return indexOf(language, generation as Generation)
}

function versionBytes(version: number): Uint8Array {
  const bytes = Buffer.alloc(VERSION_BYTES)
  bytes.writeUInt32BE(version)
  return bytes
}
