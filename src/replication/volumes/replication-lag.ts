import type { Clock } from '../../core/clock.js'
import type { VolumeId } from '../../domain/ids.js'
import type { VolumeSet } from '../../volumes/volume-set.js'
import type { PeerVolumes } from './peer-volumes.js'

/** Growth within this time shares a mark: the precision of the age, ms. */
const MARK_MS = 1_000
/** Above this, every second mark is dropped: the age may then be too high, never too low. */
const MARKS_MAX = 4_096

interface Mark {
  readonly volume: VolumeId
  /** The volume grew to here between `atMs` and the next mark. */
  end: number
  /** Monotonic. */
  readonly atMs: number
}

/** Measures the age of the oldest bytes written here that no other node is known to hold. */
export class ReplicationLag {
  readonly #clock: Clock
  readonly #peers: Pick<PeerVolumes, 'acknowledged'>
  readonly #volumes: Pick<VolumeSet, 'get' | 'onGrowth' | 'isOfThisProcess'>
  #marks: Mark[] = []

  constructor(components: {
    readonly clock: Clock
    readonly peers: Pick<PeerVolumes, 'acknowledged'>
    readonly volumes: Pick<VolumeSet, 'get' | 'onGrowth' | 'isOfThisProcess'>
  }) {
    const { clock, peers, volumes } = components
    this.#clock = clock
    this.#peers = peers
    this.#volumes = volumes
    volumes.onGrowth(({ id, end }) => {
      if (volumes.isOfThisProcess(id)) this.#note(id, end)
    })
  }

  /** @returns ms; undefined when everything is on some other node, too */
  oldestMs(): number | undefined {
    // what a compacted volume held is in another one by now, which has marks of its own
    this.#marks = this.#marks.filter(
      ({ volume, end }) => this.#volumes.get(volume) !== undefined && end > this.#peers.acknowledged(volume)
    )
    const [oldest] = this.#marks
    return oldest && this.#clock.monotonic() - oldest.atMs
  }

  #note(volume: VolumeId, end: number): void {
    const now = this.#clock.monotonic()
    const last = this.#marks.at(-1)
    if (last !== undefined && last.volume === volume && now - last.atMs < MARK_MS) {
      last.end = end
      return
    }
    if (this.#marks.length >= MARKS_MAX) this.oldestMs()
    if (this.#marks.length >= MARKS_MAX) this.#marks = this.#marks.filter((_, i) => i % 2 === 0)
    this.#marks.push({ volume, end, atMs: now })
  }
}
