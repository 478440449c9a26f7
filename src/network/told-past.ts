/*
 * What a node tells in the handshake of the time before graves, when deletes were forgotten once all members had promised to
 * hold nothing of them any more:
 *
 *   bytes  field
 *   8      the greatest horizon that the node knows of: somebody forgot deletes up to this stamp
 *   8      up to which stamp the folder of the node keeps that promise; 2⁶⁴−1: it was made later, and has nothing to keep
 *
 * Numbers are big-endian.
 */
import { formatHlc, HLC_MAX, type Hlc } from '../domain/hlc.js'

export const TOLD_PAST_BYTES = 16

/** What of the time before graves decides whether two nodes can be in one cluster. */
export interface ToldPast {
  readonly horizon: Hlc
  readonly promise: Hlc | undefined
}

export function encodePast({ horizon, promise = HLC_MAX }: ToldPast): Uint8Array {
  const bytes = Buffer.alloc(TOLD_PAST_BYTES)
  bytes.writeBigUInt64BE(horizon)
  bytes.writeBigUInt64BE(promise, 8)
  return bytes
}

/** Inverse of {@link encodePast}. */
export function decodePast(bytes: Uint8Array): ToldPast {
  const [horizon, promise] = [0, 8].map(at => Buffer.from(bytes).readBigUInt64BE(at)) as [Hlc, Hlc]
  return { horizon, promise: promise === HLC_MAX ? undefined : promise }
}

/** Whether a folder with this promise may hold what was deleted and forgotten. */
function isBeyond(promise: Hlc | undefined, horizon: Hlc): boolean {
  return promise !== undefined && promise < horizon
}

/**
 * A delete that was forgotten has left no grave, so what one folder still holds of it would come back to life everywhere.
 *
 * @returns undefined when the two can be in one cluster, else why not, which of them is to blame, and what to do
 */
export function obstacleOfPasts(own: ToldPast, other: ToldPast): string | undefined {
  const horizon = own.horizon > other.horizon ? own.horizon : other.horizon
  const beyond = [
    ...(isBeyond(own.promise, horizon) ? ['this node'] : []),
    ...(isBeyond(other.promise, horizon) ? ['the other node'] : [])
  ]
  if (beyond.length === 0) return undefined
  return (
    `${beyond.join(' and ')} ${beyond.length === 1 ? 'was' : 'were'} beyond the horizon (${formatHlc(horizon)}): such a folder may hold photos that the cluster has deleted ` +
    'and forgotten; start it with an empty folder, and import what is new: sheaf export --from-folder'
  )
}
