import { hasCode } from '../../core/errors.js'
import { printable } from '../shell/human.js'
import { inOrder } from '../shell/in-order.js'
import { photoPath } from '../shell/photo-path.js'
import type { Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import type { PhotoMetaJson } from './photo-meta.js'

export const ASKED_AT_ONCE = 4

const TABLE = new Table([{ title: 'ID', width: 36 }, { title: 'SCORE', width: 5, align: 'right' }, { title: 'NAME' }])

export interface ScoredPhotoJson {
  readonly photo_id: string
  /** Cosine similarity. */
  readonly score: number
}

/** How much of the index answered. */
export interface CoverageJson {
  readonly shards_ok: number
  readonly shards_total: number
  readonly fraction: number
}

/** Prints photos with their names, in the order given. */
export async function printScored(session: Session, photos: readonly ScoredPhotoJson[]): Promise<void> {
  const { terminal } = session
  if (photos.length > 0) await terminal.print(TABLE.header())
  else if (terminal.interactive) terminal.note('nothing found')
  await inOrder(
    photos,
    ASKED_AT_ONCE,
    async ({ photo_id, score }) => [photo_id, score.toFixed(3), await nameOf(session, photo_id)],
    async cells => terminal.print(TABLE.lines([cells], false)[0] as string)
  )
}

/** Says on stderr when a search did not reach everything. */
export function noteCoverage(session: Session, { shards_ok, shards_total, fraction }: CoverageJson): void {
  if (fraction < 1) session.terminal.note(`sheaf: only ${shards_ok} of ${shards_total} parts of the index answered`)
}

/** @returns the name of a photo just found; it may have been deleted since */
export async function nameOf(session: Session, id: string): Promise<string> {
  try {
    return printable((await session.client.json<PhotoMetaJson>(photoPath(id, '/meta'))).name)
  } catch (err) {
    if (hasCode(err, 'ERR_PHOTO_DELETED') || hasCode(err, 'ERR_PHOTO_NOT_FOUND')) return '(gone)'
    throw err
  }
}
