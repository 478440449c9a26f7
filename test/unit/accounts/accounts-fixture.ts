import { Accounts, type AccountsComponents, type AccountsInit } from '../../../src/accounts/accounts.js'
import { tokenKeyOf } from '../../../src/accounts/token-keys.js'
import { silentLog } from '../../../src/core/log.js'
import { Directory } from '../../../src/directory/directory.js'
import { HybridClock } from '../../../src/domain/hlc.js'
import { newActorId } from '../../../src/domain/ids.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { RecordWriter } from '../../../src/store/record-writer.js'
import { MemoryNeedleStore } from '../../support/memory-needle-store.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { MemoryDatabaseSource } from '../directory/memory-database.js'

/** Of argon2id, as little as it takes: passwords in tests are no secrets. */
export const LITTLE = { memoryKiB: 8, passes: 1, lanes: 1 }
export const ADDRESS = '192.0.2.1'
export const PASSWORD = 'correct horse'

const SECRET = new Uint8Array(32).fill(1)

export interface AccountsFixture {
  readonly accounts: Accounts
  readonly directory: Directory
  readonly store: MemoryNeedleStore
  readonly writer: RecordWriter
  readonly clock: SimulatedClock
  /** Merges all that this node has into another one's directory. */
  tell(other: AccountsFixture): Promise<void>
}

/** The room over a directory, a log and a clock in memory. Fixtures of one clock are nodes of one cluster. */
export async function accountsFixture(
  overrides: Partial<AccountsComponents> = {},
  init: Partial<AccountsInit> & { readonly seed?: number; readonly clock?: SimulatedClock } = {}
): Promise<AccountsFixture> {
  const { seed = 1, clock = new SimulatedClock(), ...rest } = init
  const random = new SeededRandom(seed)
  const hybridClock = new HybridClock({ clock })
  const directory = new Directory({
    database: new MemoryDatabaseSource(),
    log: silentLog,
    observe: stamp => hybridClock.observe(stamp)
  })
  await directory.start()
  const store = new MemoryNeedleStore({ epoch: newActorId(random), onCommit: group => directory.apply(group) })
  const writer = new RecordWriter({ store, directory, hybridClock, random, actor: () => store.epoch })
  const tokenKeys = [tokenKeyOf(SECRET)] as const
  const accounts = new Accounts(
    { directory, writer, clock, random, log: silentLog, tokenKeys, ...overrides },
    { cluster: 'home', auth: 'auto', hashingCost: LITTLE, ...rest }
  )
  await accounts.start()
  const tell = async (other: AccountsFixture): Promise<void> => {
    const records: Uint8Array[] = []
    for await (const record of directory.records()) records.push(encodeRecord(record))
    await other.directory.merge(records)
  }
  return { accounts, directory, store, writer, clock, tell }
}
