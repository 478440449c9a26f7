import { Option } from 'commander'
import { LINK_ROLES, type LinkRole } from '../../domain/share-link.js'
import type { CommandSet } from '../shell/command-set.js'
import { humanTime, printable } from '../shell/human.js'
import { jsonBody } from '../shell/node-client.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import { timestamp } from './options.js'

/** A link, as `GET /v1/links` shows it. */
interface LinkJson {
  readonly link_id: string
  /** Null: it is of photos. */
  readonly album_id: string | null
  readonly role: LinkRole
  readonly download: boolean
  readonly metadata: boolean
  readonly has_password: boolean
  readonly label: string | null
  /** Null: it does not end. */
  readonly expires_at: string | null
  readonly in_force: boolean
}

interface CreateOptions {
  readonly photos?: readonly string[]
  readonly role?: LinkRole
  readonly label?: string
  readonly expires?: string
  readonly password?: true
  readonly download: boolean
  readonly metadata: boolean
}

const NEVER = 'never'
const TABLE = new Table([
  { title: 'ID' },
  { title: 'UNTIL' },
  { title: 'ALBUM', width: 36 },
  { title: 'NOTES' },
  { title: 'LABEL' }
])

/** `link create`, `link ls`, `link rm`: links for guests, who have no account. */
export function addLinks(commands: CommandSet): void {
  const parent = commands.program.command('link').description('make, list and withdraw links for guests')
  const add = (usage: string, summary: string) => commands.client(usage, summary, parent)
  add('create [album]', 'make a link to an album, by its id: prints the address that shows it, this once')
    .option('--photos <id...>', 'to photos of your own instead, by id')
    .option('--label <text>', 'whom it is for; guests are not told')
    .option('--expires <time>', `when it ends, such as 2026-11-20, or ${NEVER}; default: in 30 days`, endOf)
    .option('--password', 'ask for a password that guests have to give')
    .option('--no-download', 'without the originals')
    .option('--no-metadata', 'only the pictures: no names, dates, places, captions, and no originals')
    .addOption(new Option('--role <role>', 'a contributor can put photos into the album').choices(LINK_ROLES))
    .action(commands.action(create))
  add('ls', 'list the links that you have made, the latest first')
    .option('--album <album>', 'all links to that album instead, by its id')
    .action(commands.action(list))
  add('rm <id...>', 'withdraw links, by id, for good').action(commands.action(remove))
}

function endOf(value: string): string {
  return value === NEVER ? value : timestamp(value)
}

async function create(session: Session, album: string | undefined, options: CreateOptions): Promise<ExitCode> {
  const { client, terminal, node } = session
  const { photos, role, label, expires, download, metadata } = options
  const [password] =
    options.password === undefined ? [] : await session.secrets([{ text: 'Password of the link', isNew: true }])
  const answer = await client.json<{ readonly link: LinkJson; readonly secret: string }>('/v1/links', {
    method: 'POST',
    ...jsonBody({
      album,
      photos,
      role,
      label,
      expires_at: expires === NEVER ? null : expires,
      download,
      metadata,
      password
    })
  })
  if (session.json) await printJson(session, answer)
  else {
    const { link_id: id, expires_at: until } = answer.link
    await terminal.print(printable(`${node.url}#/s/${answer.secret}`))
    if (terminal.interactive)
      terminal.note(`this is link ${printable(id)}${until === null ? '' : `, until ${humanTime(until)}`}`)
  }
  return 0
}

async function list(session: Session, { album }: { readonly album?: string }): Promise<ExitCode> {
  const { links } = await session.client.json<{ readonly links: readonly LinkJson[] }>('/v1/links', {
    query: { album }
  })
  if (session.json) for (const link of links) await printJson(session, link)
  else for (const line of TABLE.lines(links.map(row))) await session.terminal.print(line)
  return 0
}

function row({ link_id: id, album_id: album, expires_at: until, label, ...link }: LinkJson): string[] {
  const notes = [
    ...(link.in_force ? [] : ['does not count']),
    ...(link.has_password ? ['password'] : []),
    ...(link.role === 'contributor' ? ['uploads'] : []),
    ...(link.metadata ? (link.download ? [] : ['no originals']) : ['pictures only'])
  ]
  return [id, until === null ? NEVER : humanTime(until), album ?? 'photos', notes.join(', '), label ?? ''].map(
    printable
  )
}

async function remove(session: Session, ids: readonly string[]): Promise<ExitCode> {
  for (const id of ids) {
    const answer = await session.client.json<{ readonly link_id: string }>(`/v1/links/${encodeURIComponent(id)}`, {
      method: 'DELETE'
    })
    await (session.json ? printJson(session, answer) : session.terminal.print(printable(answer.link_id)))
  }
  return 0
}
