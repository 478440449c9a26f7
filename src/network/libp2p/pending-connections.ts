import type { MessageStream } from '@libp2p/interface'
import type { LoopWatch } from '../../core/loop-watch.js'
import { STALLED_LATELY_MS } from './silence-watch.js'

/** Whoever connects speaks first, and has so long for its first byte, ms. */
const FIRST_BYTE_MS = 500
/** As many checks, where this process was stalled lately: who connects may be on the same busy machine. */
const SILENT_CHECKS_MAX_STALLED = 20
/** Connections from one address that are not admitted yet. */
const PENDING_MAX_PER_HOST = 64
/** The same from all addresses. */
export const PENDING_MAX = 256

type RawConnection = Pick<MessageStream, 'addEventListener' | 'abort'>

interface Pending {
  readonly connection: RawConnection
  readonly host: string
  isSilent: boolean
}

/**
 * The incoming connections that are not admitted yet. Anybody may open them, so they are bounded, and a new one is never
 * refused: the oldest one that has said nothing makes room, but none of the newer half, which had no time to; else the oldest of
 * all. It is one of the address that has most of them, so that a crowd at one address does not keep out who comes from another.
 */
export class PendingConnections {
  readonly #loop: LoopWatch
  /** The oldest first. */
  readonly #pending = new Map<RawConnection, Pending>()

  constructor(components: { readonly loop: LoopWatch }) {
    this.#loop = components.loop
  }

  get count(): number {
    return this.#pending.size
  }

  /** @param connection - the raw one, before anything was read of it */
  add(connection: RawConnection, host: string): void {
    this.#makeRoom(host)
    const pending: Pending = { connection, host, isSilent: true }
    this.#pending.set(connection, pending)
    let silentChecks = 0
    const check = (): void => {
      const checksMax = this.#loop.wasLateWithin(STALLED_LATELY_MS) ? SILENT_CHECKS_MAX_STALLED : 1
      if (++silentChecks >= checksMax) this.#end(pending)
      else cancel = this.#loop.schedule(FIRST_BYTE_MS, check)
    }
    let cancel = this.#loop.schedule(FIRST_BYTE_MS, check)
    // A listener for good would take bytes that nobody else listens for yet.
    connection.addEventListener(
      'message',
      () => {
        pending.isSilent = false
        cancel()
      },
      { once: true }
    )
    connection.addEventListener('close', () => {
      cancel()
      this.#pending.delete(connection)
    })
  }

  /** The connection was admitted: it is pending no longer. Nothing happens for one that this node opened. */
  admitted(connection: RawConnection): void {
    this.#pending.delete(connection)
  }

  #makeRoom(host: string): void {
    const byHost = new Map<string, Pending[]>()
    for (const pending of this.#pending.values()) {
      const others = byHost.get(pending.host)
      if (others === undefined) byHost.set(pending.host, [pending])
      else others.push(pending)
    }
    const same = byHost.get(host) ?? []
    if (same.length >= PENDING_MAX_PER_HOST) this.#endOne(same)
    else if (this.#pending.size >= PENDING_MAX)
      this.#endOne([...byHost.values()].sort((a, b) => b.length - a.length)[0])
  }

  #endOne(candidates: readonly Pending[] = []): void {
    const older = candidates.slice(0, candidates.length / 2)
    const victim = older.find(({ isSilent }) => isSilent) ?? candidates[0]
    if (victim !== undefined) this.#end(victim)
  }

  #end({ connection }: Pending): void {
    this.#pending.delete(connection)
    connection.abort(new Error('the connection was not admitted in time'))
  }
}
