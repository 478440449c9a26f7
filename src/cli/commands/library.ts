import type { CommandSet } from '../shell/command-set.js'
import { count, humanTime, printable } from '../shell/human.js'
import { jsonBody } from '../shell/node-client.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import type { PhotoMetaJson } from './photo-meta.js'

interface TagJson {
  readonly name: string
  readonly count: number
}

/** `GET /tags` */
interface TagsAnswer {
  readonly tags: readonly TagJson[]
  readonly next_after: string | null
}

/** `GET /trash` */
interface TrashAnswer {
  readonly photos: readonly (PhotoMetaJson & {
    readonly deleted_at: string
    readonly purge_after: string
    readonly restorable: boolean
  })[]
  readonly total: number
  readonly next_cursor: string | null
}

/** `POST /trash/empty` */
interface EmptiedAnswer {
  readonly results: readonly { readonly photo_id: string; readonly status: string; readonly code?: string }[]
  readonly left: number
}

interface TrashOptions {
  readonly emptied?: boolean
}

interface EmptyOptions {
  readonly yes?: boolean
}

interface TagsOptions {
  readonly prefix?: string
}

const PAGE_PHOTOS = 1_000
/** Fixed widths, so that the pages of a long list line up. */
const TAGS = new Table([{ title: 'PHOTOS', width: 8, align: 'right' }, { title: 'NAME' }])
const TRASH = new Table([
  { title: 'ID', width: 36 },
  { title: 'DELETED', width: 16 },
  { title: 'GONE AFTER', width: 16 },
  { title: 'NAME' }
])

/** `tags`, `trash`: what there is in the library beside single photos. */
export function addLibrary(commands: CommandSet): void {
  commands
    .client('tags', 'list tags, and how many photos each has')
    .option('--prefix <text>', 'only those that begin so')
    .action(commands.action(tags))
  const inTrash = commands
    .client('trash', 'list deleted photos that `sheaf undelete` can still bring back')
    .option('--emptied', 'only what the trash was emptied of, and is not gone yet')
    .action(commands.action(trash))
  commands
    .client('empty [id...]', 'let deleted photos go soon, all of them or some by id; asks for confirmation', inTrash)
    .option('-y, --yes', 'do not ask')
    .action(commands.action(emptyTrash))
}

async function tags(session: Session, { prefix }: TagsOptions): Promise<ExitCode> {
  const { terminal, json, client } = session
  let after: string | undefined
  let shown = 0
  do {
    const answer: TagsAnswer = await client.json('/tags', { query: { prefix, after } })
    if (shown === 0 && answer.tags.length > 0 && !json) await terminal.print(TAGS.header())
    for (const tag of answer.tags) {
      const line = (): string => TAGS.lines([[String(tag.count), printable(tag.name)]], false)[0] as string
      await (json ? printJson(session, tag) : terminal.print(line()))
    }
    shown += answer.tags.length
    after = answer.next_after ?? undefined
  } while (after !== undefined)
  return 0
}

async function trash(session: Session, { emptied }: TrashOptions): Promise<ExitCode> {
  const { terminal, json, client } = session
  let cursor: string | undefined
  let shown = 0
  do {
    const answer: TrashAnswer = await client.json('/trash', { query: { limit: PAGE_PHOTOS, cursor, emptied } })
    if (shown === 0 && answer.photos.length > 0 && !json) await terminal.print(TRASH.header())
    for (const photo of answer.photos) {
      const { photo_id, deleted_at, purge_after, restorable, name } = photo
      const until = restorable ? humanTime(purge_after) : 'not here'
      const line = (): string =>
        TRASH.lines([[photo_id, humanTime(deleted_at), until, printable(name)]], false)[0] as string
      await (json ? printJson(session, photo) : terminal.print(line()))
    }
    shown += answer.photos.length
    cursor = answer.next_cursor ?? undefined
    if (cursor === undefined && terminal.interactive) terminal.note(count(answer.total, 'deleted photo'))
  } while (cursor !== undefined)
  return 0
}

async function emptyTrash(session: Session, ids: readonly string[], { yes }: EmptyOptions): Promise<ExitCode> {
  const { terminal, json, client } = session
  const what = ids.length === 0 ? 'everything in the trash' : count(ids.length, 'deleted photo')
  const warning = `This lets ${what} go on all nodes; for a day \`sheaf undelete\` still brings it back.`
  if (!(await session.confirm(warning, yes))) return 1
  let emptied = 0
  for (;;) {
    const body = jsonBody(ids.length === 0 ? {} : { ids })
    const answer: EmptiedAnswer = await client.json('/trash/empty', { method: 'POST', ...body })
    const failed = answer.results.filter(({ code }) => code !== undefined)
    for (const { photo_id, code } of failed) terminal.note(`${photo_id}: ${code}`)
    if (json) for (const result of answer.results) await printJson(session, result)
    const done = answer.results.length - failed.length
    emptied += done
    if (answer.left > 0 && done > 0) continue
    if (!json) await terminal.print(`${count(emptied, 'photo')} let go`)
    return failed.length === 0 ? 0 : 1
  }
}
