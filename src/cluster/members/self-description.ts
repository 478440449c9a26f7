import { createHash } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import { hasCode } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { WorkerLoop } from '../../core/worker-loop.js'
import type { Directory } from '../../directory/directory.js'
import type { VolumeId } from '../../domain/ids.js'
import type { HeartbeatIndex } from '../../network/membership/heartbeat.js'
import type { NodeDescription } from '../../network/membership/member-view.js'
import type { RepairProgress } from '../../replication/volumes/volume-shipping.js'
import type { NodeSpace } from '../../volumes/disk-reserve.js'
import type { Volume } from '../../volumes/volume.js'
import type { VolumeSet } from '../../volumes/volume-set.js'

const SPACE_EVERY_MS = 5_000
const DIGEST_HEX = 32

export interface SelfDescriptionComponents {
  readonly volumes: Pick<VolumeSet, 'epoch' | 'volumes'>
  readonly directory: Pick<Directory, 'digest' | 'count'>
  readonly isRetired: (volume: VolumeId) => boolean
  readonly space: () => Promise<NodeSpace>
  /** The models whose vectors this node searches. */
  readonly indexes?: () => readonly HeartbeatIndex[]
  /** See `tools` of a heartbeat. */
  readonly tools?: () => readonly string[]
  /** See `http` of a heartbeat. */
  readonly http?: () => readonly string[]
  /** What is still to come from other nodes. */
  readonly catchingUp?: () => Pick<RepairProgress, 'bytesPerSecond' | 'etaS'>
  /** See `purgedToMs` of a heartbeat. */
  readonly purgedToMs?: () => number | undefined
  /** See `ageMs` of a heartbeat. */
  readonly ageMs?: () => number
  readonly clock: Clock
  readonly log: Logger
}

/** Describes the node for its heartbeats. Never waits for the disk: a slow disk must not make the node look dead. */
export class SelfDescription implements Startable {
  readonly #components: SelfDescriptionComponents
  readonly #init: { readonly name: string; readonly version: string }
  readonly #spaceLoop: WorkerLoop
  readonly #startedAtMs: number
  readonly #volumesDigest = new VolumesDigest()
  /** Zeros until the disk was first queried. */
  #space: NodeSpace = { freeBytes: 0, totalBytes: 0 }

  constructor(components: SelfDescriptionComponents, init: { readonly name: string; readonly version: string }) {
    this.#components = components
    this.#init = init
    this.#startedAtMs = components.clock.now()
    const measure = async (): Promise<'idle'> => {
      this.#space = await components.space()
      return 'idle'
    }
    this.#spaceLoop = new WorkerLoop(components, { name: 'disk space', idleMs: SPACE_EVERY_MS, step: measure })
  }

  start(): Promise<void> {
    return this.#spaceLoop.start()
  }

  stop(): Promise<void> {
    return this.#spaceLoop.stop()
  }

  describe(): NodeDescription {
    const { volumes, isRetired, indexes = () => [] } = this.#components
    const { ageMs, directory } = this.#components
    const tools = this.#components.tools?.() ?? []
    const http = this.#components.http?.() ?? []
    const catchingUp = this.#components.catchingUp?.()
    const photos = this.#unlessUnavailable(() => directory.count('all'))
    const purgedToMs = this.#components.purgedToMs?.()
    const { epoch } = volumes
    const held = volumes.volumes().filter(({ id }) => !isRetired(id))
    return {
      ...this.#init,
      ...this.#space,
      epoch,
      startedAtMs: this.#startedAtMs,
      directoryDigest: this.#unlessUnavailable(() => directory.digest()) ?? '',
      volumesDigest: this.#volumesDigest.of(held),
      heads: held.filter(({ id }) => id.startsWith(`${epoch}-`)).map(({ id, end }) => ({ volume: id, bytes: end })),
      indexes: indexes(),
      ...(tools.length > 0 && { tools }),
      ...(http.length > 0 && { http }),
      ...(photos !== undefined && { photos }),
      ...(catchingUp !== undefined && { bytesPerS: catchingUp.bytesPerSecond }),
      ...(catchingUp?.etaS !== undefined && { etaS: catchingUp.etaS }),
      ...(purgedToMs !== undefined && { purgedToMs }),
      ...(ageMs !== undefined && { ageMs: ageMs() })
    }
  }

  /** @returns undefined while the directory cannot be read */
  #unlessUnavailable<T>(look: () => T): T | undefined {
    try {
      return look()
    } catch (err) {
      if (hasCode(err, 'ERR_DIRECTORY_UNAVAILABLE')) return undefined
      throw err
    }
  }
}

/** The digest of volumes, taken again only when one of them has changed: every beat asks for it. */
class VolumesDigest {
  #latest: { readonly of: readonly VolumeState[]; readonly digest: string } | undefined

  /** @returns hex; equal on two nodes that hold the same bytes of the same volumes, holes included */
  of(volumes: readonly Volume[]): string {
    const known = this.#latest?.of ?? []
    const isSame = volumes.length === known.length && volumes.every((volume, i) => isUnchanged(volume, known[i]))
    if (this.#latest !== undefined && isSame) return this.#latest.digest
    const of = volumes.map(({ id, end, chain, holes }) => ({ id, end, chain, holes }))
    const lines = of.map(({ id, end, chain, holes }) => {
      const missing = holes.map(({ from, to }) => `${from}-${to}`).join()
      return `${id} ${end} ${Buffer.from(chain).toString('hex')} ${missing}\n`
    })
    const digest = createHash('sha256').update(lines.sort().join('')).digest('hex').slice(0, DIGEST_HEX)
    this.#latest = { of, digest }
    return digest
  }
}

type VolumeState = Pick<Volume, 'id' | 'end' | 'chain' | 'holes'>

/** Chain and holes are replaced when they change. */
function isUnchanged({ id, end, chain, holes }: VolumeState, known: VolumeState | undefined): boolean {
  return known?.id === id && known.end === end && known.chain === chain && known.holes === holes
}
