import type { Clock } from '../../core/clock.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { WorkerLoop } from '../../core/worker-loop.js'
import type { Directory } from '../../directory/directory.js'
import { DRIFT_MS_MAX, formatHlc, HLC_ZERO, type Hlc, hlcMs } from '../../domain/hlc.js'
import { conflictVersions, type DirectoryRecord, type RecordKey, shownVersion } from '../../domain/record.js'
import { bytesOf } from '../../domain/value-fields.js'
import type { Transport } from '../../network/transport.js'
import type { Past } from '../../store/past.js'
import type { RecordWriter } from '../../store/record-writer.js'

/** Its value: {horizon: 8 bytes, big-endian}. */
const HORIZON_KEY = { kind: 'cluster', id: 'horizon' } as const
const STAMP_BYTES = 8
/** Others write the record, too, and it comes with the directory: mostly it is there before this node looks. */
const RECORD_EVERY_MS = 60_000

export interface KnownHorizonComponents {
  readonly past: Pick<Past, 'promise' | 'horizon'>
  readonly directory: Pick<Directory, 'state' | 'getMany' | 'isOpaque' | 'onChange'>
  readonly writer: Pick<RecordWriter, 'write'>
  readonly transport: Pick<Transport, 'tellPast' | 'onPast'>
  readonly clock: Clock
  readonly log: Logger
}

/**
 * The greatest horizon that anybody of the cluster had reached before there were graves: a folder that had promised less
 * may hold photos that were deleted and forgotten, so its node is refused.
 *
 * It is a record of its own, so that it is durable and a new node learns of it. Its value is the greatest of all its
 * versions. Until the record comes, what nodes tell when they connect counts.
 */
export class KnownHorizon implements Startable {
  readonly #components: KnownHorizonComponents
  readonly #loop: WorkerLoop
  #greatest = HLC_ZERO
  #unsubscribe: (() => void) | undefined

  constructor(components: KnownHorizonComponents) {
    this.#components = components
    const { clock, log, transport } = components
    transport.onPast(({ horizon }) => this.#note(horizon))
    this.#loop = new WorkerLoop(
      { clock, log },
      { name: 'known horizon', idleMs: RECORD_EVERY_MS, delayMs: RECORD_EVERY_MS, step: () => this.#record() }
    )
  }

  /** To be called once the directory is complete, before the transport starts. */
  async start(): Promise<void> {
    const { directory, past, transport } = this.#components
    this.#unsubscribe = directory.onChange(changes => {
      for (const { after } of changes) if (after !== undefined && isHorizon(after)) this.#note(horizonIn(after))
    })
    transport.tellPast({ horizon: this.#greatest, promise: past.promise })
    this.#note(past.horizon)
    this.#note(await this.#recorded())
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    await this.#loop.stop()
  }

  #note(horizon: Hlc): void {
    const { past, transport, clock, log } = this.#components
    // nobody has forgotten what is yet to come: who says so would put every folder of before out, for good
    if (horizon <= this.#greatest || hlcMs(horizon) > clock.now() + DRIFT_MS_MAX) return
    const { promise } = past
    if (promise !== undefined && promise < horizon && promise >= this.#greatest) {
      log.error(
        { code: 'ERR_PEER_REFUSED', horizon: formatHlc(horizon), promise: formatHlc(promise) },
        'THIS NODE WAS BEYOND THE HORIZON and is refused: its folder may hold photos that the cluster has deleted and forgotten; start it with an empty folder, and import what is new: sheaf export --from-folder'
      )
    }
    this.#greatest = horizon
    transport.tellPast({ horizon, promise })
  }

  async #recorded(): Promise<Hlc> {
    const [stored] = await this.#components.directory.getMany([HORIZON_KEY])
    return horizonIn(stored?.record)
  }

  async #record(): Promise<'idle'> {
    const { directory, writer } = this.#components
    const horizon = this.#greatest
    if (directory.state !== 'open' || directory.isOpaque(HORIZON_KEY)) return 'idle'
    if ((await this.#recorded()) >= horizon) return 'idle'
    await writer.write(HORIZON_KEY, before => {
      if (horizonIn(before) >= horizon) return []
      const bytes = Buffer.alloc(STAMP_BYTES)
      bytes.writeBigUInt64BE(horizon)
      const supersedes = before && [shownVersion(before), ...conflictVersions(before)].map(({ dot }) => dot)
      return [{ kind: 'version', value: new Map([['horizon', bytes]]), ...(supersedes && { supersedes }) }]
    })
    return 'idle'
  }
}

function isHorizon({ kind, id }: RecordKey): boolean {
  return kind === HORIZON_KEY.kind && id === HORIZON_KEY.id
}

/** Lenient, since another node may have written the record. @returns zero when it says nothing */
function horizonIn(record: DirectoryRecord | undefined): Hlc {
  if (record === undefined) return HLC_ZERO
  const stamps = [shownVersion(record), ...conflictVersions(record)].map(({ value }) => {
    const bytes = bytesOf(value, 'horizon', STAMP_BYTES)
    return bytes === undefined ? HLC_ZERO : (Buffer.from(bytes).readBigUInt64BE() as Hlc)
  })
  return stamps.reduce((greatest, stamp) => (stamp > greatest ? stamp : greatest))
}
