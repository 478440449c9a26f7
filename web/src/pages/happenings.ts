import type { RecentEvent } from '../api/client.js'

/** Events that are told in one line: of one kind, one after the other. */
export interface Happening {
  readonly id: string
  readonly type: RecentEvent['type']
  /** RFC 3339, of the newest. */
  readonly at: string
  readonly count: number
  readonly nodeId: string | undefined
  /** Of the newest. */
  readonly photoId: string | undefined
}

/** @param events - newest first */
export function happeningsOf(events: readonly RecentEvent[], max: number): readonly Happening[] {
  const lines: Happening[] = []
  for (const { id, type, at, node_id: nodeId, photo_id: photoId } of events) {
    const last = lines.at(-1)
    if (last !== undefined && last.type === type && last.nodeId === nodeId) {
      lines[lines.length - 1] = { ...last, count: last.count + 1 }
    } else if (lines.length < max) lines.push({ id, type, at, count: 1, nodeId, photoId })
    else break
  }
  return lines
}
