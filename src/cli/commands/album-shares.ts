import { Argument, type Command } from 'commander'
import { ALBUM_ROLES } from '../../domain/acl.js'
import type { CommandSet } from '../shell/command-set.js'
import { humanTime, printable } from '../shell/human.js'
import { jsonBody, type NodeRequest } from '../shell/node-client.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import { groupCalled } from './groups.js'
import { timestamp } from './options.js'

interface PersonJson {
  readonly user_id: string
  /** Null: the node has not heard of the account. */
  readonly name: string | null
}

/** To whom an album is open, as `GET /v1/albums/{id}/shares` shows it. */
interface SharingJson {
  /** Null: everyone who has an account. */
  readonly owner: PersonJson | null
  readonly shares: readonly {
    readonly principal: string
    readonly user: PersonJson | null
    readonly group: { readonly name: string | null } | null
    readonly role: string
    readonly expires_at: string | null
    readonly given_by: readonly PersonJson[]
    readonly contested: boolean
    readonly in_force: boolean
  }[]
}

const GROUP_PREFIX = 'group:'
const TABLE = new Table([
  { title: 'WHO' },
  { title: 'ROLE' },
  { title: 'UNTIL' },
  { title: 'GIVEN BY' },
  { title: 'NOTES' }
])

/** Below `albums`: to whom they are open. */
export function addAlbumShares(commands: CommandSet, albums: Command): void {
  const add = (usage: string, summary: string) => commands.client(usage, summary, albums)
  add('shares <album>', 'show to whom an album, by its id, is open').action(
    commands.action((session, id: string) => show(session, `${albumPath(id)}/shares`))
  )
  add(
    'share <album> <who>',
    'give a role in an album to an account, by its name or id, to `group:NAME`, or to `everyone` or `public`'
  )
    .addArgument(new Argument('<role>', 'what it may do').choices(ALBUM_ROLES.filter(role => role !== 'none')))
    .option('--until <time>', 'when it ends, such as 2026-11-20; default: when it is taken away', timestamp)
    .action(
      commands.action(async (session, id: string, who: string, role: string, { until }: { readonly until?: string }) =>
        show(session, await sharePath(session, id, who), { method: 'PUT', ...jsonBody({ role, expires_at: until }) })
      )
    )
  add('unshare <album> <who>', 'take a role in an album away; your own, too').action(
    commands.action(async (session, id: string, who: string) =>
      show(session, await sharePath(session, id, who), { method: 'DELETE' })
    )
  )
  add('give <album> <who>', 'hand an album over to another account, with all that you have shared of it').action(
    commands.action((session, id: string, user: string) =>
      show(session, `${albumPath(id)}/owner`, { method: 'PUT', ...jsonBody({ user }) })
    )
  )
}

/** @param id - as the user gave it */
export function albumPath(id: string): string {
  return `/v1/albums/${encodeURIComponent(id)}`
}

/** @param who - a group by its name or id, others as the node takes them */
async function sharePath(session: Session, id: string, who: string): Promise<string> {
  const isGroup = who.startsWith(GROUP_PREFIX)
  const principal = isGroup ? GROUP_PREFIX + (await groupCalled(session, who.slice(GROUP_PREFIX.length))) : who
  return `${albumPath(id)}/shares/${encodeURIComponent(principal)}`
}

async function show(session: Session, path: string, request?: NodeRequest): Promise<ExitCode> {
  const sharing = await session.client.json<SharingJson>(path, request)
  if (session.json) await printJson(session, sharing)
  else for (const line of TABLE.lines(rowsOf(sharing))) await session.terminal.print(line)
  return 0
}

function rowsOf({ owner, shares }: SharingJson): string[][] {
  return [
    [owner === null ? 'everyone' : nameOf(owner), 'owner', '', '', owner === null ? 'nobody has made it' : ''],
    ...shares.map(
      ({ principal, user, group, role, expires_at: until, given_by: givers, contested, in_force: isInForce }) => [
        user === null ? printable(group?.name == null ? principal : GROUP_PREFIX + group.name) : nameOf(user),
        role,
        until === null ? '' : humanTime(until),
        givers.map(nameOf).join(', '),
        [...(isInForce ? [] : ['does not count']), ...(contested ? ['contested'] : [])].join(', ')
      ]
    )
  ]
}

function nameOf({ user_id: id, name }: PersonJson): string {
  return printable(name ?? id)
}
