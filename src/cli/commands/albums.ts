import type { CommandSet } from '../shell/command-set.js'
import { count, printable } from '../shell/human.js'
import { jsonBody } from '../shell/node-client.js'
import { type ExitCode, noteFailure, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import { addAlbumShares, albumPath } from './album-shares.js'

/** What one request takes at most. */
const BATCH_MAX = 10_000

interface AlbumJson {
  /** Null: it is a label. */
  readonly album_id: string | null
  readonly name: string
  readonly count: number
}

interface AlbumsAnswer {
  readonly albums: readonly AlbumJson[]
  readonly next_after: string | null
}

interface Outcome {
  readonly photo_id: string
  readonly status: string
  readonly code?: string
}

type MadeReal = AlbumJson & { readonly results: readonly Outcome[]; readonly left: number }

/** Fixed widths, so that the pages of a long list line up. */
const ALBUMS = new Table([{ title: 'PHOTOS', width: 8, align: 'right' }, { title: 'ID', width: 36 }, { title: 'NAME' }])

/** `albums`, and below it what makes and changes them. */
export function addAlbums(commands: CommandSet): void {
  const albums = commands
    .client('albums', 'list albums, and how many photos each has; those without an id are labels of photos')
    .option('--prefix <text>', 'only those that begin so')
    .option('--within <album>', 'only those that stand in that one, by its id, or in `none`; default: all')
    .action(commands.action(list))
  const add = (usage: string, summary: string) => commands.client(usage, summary, albums)
  add('make <title>', 'make an album')
    .option('--in <album>', 'the album that it is to stand in, by its id')
    .action(
      commands.action((session, title: string, { in: parent }: { readonly in?: string }) =>
        show(session, '/v1/albums', 'POST', { title, parent })
      )
    )
  add('make-real <label>', 'make an album of a label that photos have as one').action(commands.action(makeReal))
  add('rename <album> <title>', 'give an album, by its id, another title').action(
    commands.action((session, id: string, title: string) => show(session, albumPath(id), 'PATCH', { title }))
  )
  add('rm <album...>', 'delete albums, by id; their photos stay, and each can be restored for a while').action(
    commands.action(remove)
  )
  add('restore <album>', 'bring a deleted album back, by its id').action(
    commands.action((session, id: string) => show(session, `${albumPath(id)}/undelete`, 'POST'))
  )
  add(
    'move <album> <parent>',
    'put an album into another one, both by id, so that whoever sees that sees it; or into `none`'
  )
    .option('--closed', 'but show it only to those to whom it is open itself')
    .action(
      commands.action((session, id: string, parent: string, { closed = false }: { readonly closed?: boolean }) =>
        show(session, `${albumPath(id)}/parent`, 'PUT', {
          parent: parent === 'none' ? null : parent,
          inherits: !closed
        })
      )
    )
  add('add <album> <photo...>', 'put photos into an album, all by id').action(commands.action(addPhotos))
  addAlbumShares(commands, albums)
}

async function list(
  session: Session,
  { prefix, within }: { readonly prefix?: string; readonly within?: string }
): Promise<ExitCode> {
  const { terminal, json, client } = session
  let after: string | undefined
  let shown = 0
  do {
    const answer: AlbumsAnswer = await client.json('/albums', { query: { prefix, after, parent: within } })
    if (shown === 0 && answer.albums.length > 0 && !json) await terminal.print(ALBUMS.header())
    for (const album of answer.albums) await print(session, album)
    shown += answer.albums.length
    after = answer.next_after ?? undefined
  } while (after !== undefined)
  return 0
}

async function show(
  session: Session,
  path: string,
  method: 'POST' | 'PATCH' | 'PUT',
  body?: object
): Promise<ExitCode> {
  await print(session, await session.client.json<AlbumJson>(path, { method, ...(body && jsonBody(body)) }))
  return 0
}

async function print(session: Session, album: AlbumJson): Promise<void> {
  const { album_id: id = null, name, count: photos } = album
  const [line = ''] = ALBUMS.lines([[String(photos), id ?? '', printable(name)]], false)
  await (session.json ? printJson(session, album) : session.terminal.print(line))
}

/** A request takes a part of the photos; those that fail stay, and are not asked for for ever. */
async function makeReal(session: Session, name: string): Promise<ExitCode> {
  const { client, terminal } = session
  for (;;) {
    const made: MadeReal = await client.json('/v1/albums/make-real', { method: 'POST', ...jsonBody({ name }) })
    const failed = noteFailures(session, made.results)
    const isDone = made.left === 0 || failed === made.results.length
    if (!isDone) {
      if (terminal.interactive) terminal.live(`${count(made.left, 'photo')} left`)
      continue
    }
    await print(session, made)
    return failed === 0 ? 0 : 1
  }
}

async function remove(session: Session, ids: readonly string[]): Promise<ExitCode> {
  for (const id of ids) {
    const answer = await session.client.json<{ album_id: string }>(albumPath(id), { method: 'DELETE' })
    await (session.json ? printJson(session, answer) : session.terminal.print(answer.album_id))
  }
  return 0
}

async function addPhotos(session: Session, id: string, photos: readonly string[]): Promise<ExitCode> {
  let failed = 0
  for (let at = 0; at < photos.length; at += BATCH_MAX) {
    const body = jsonBody({ add: photos.slice(at, at + BATCH_MAX) })
    const path = `${albumPath(id)}/photos`
    const { results } = await session.client.json<{ results: Outcome[] }>(path, { method: 'POST', ...body })
    if (session.json) for (const outcome of results) await printJson(session, outcome)
    failed += noteFailures(session, results)
  }
  if (session.terminal.interactive) session.terminal.note(`${count(photos.length - failed, 'photo')} in the album`)
  return failed === 0 ? 0 : 1
}

/** @returns how many failed */
function noteFailures(session: Session, outcomes: readonly Outcome[]): number {
  const failed = outcomes.filter(({ status }) => status === 'failed')
  for (const { photo_id, code = '' } of failed) noteFailure(session, photo_id, new Error(code))
  return failed.length
}
