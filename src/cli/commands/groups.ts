import { SheafError } from '../../core/errors.js'
import { parseGroupId } from '../../domain/ids.js'
import type { MemberRole } from '../../domain/people-group.js'
import { foldText } from '../../domain/text.js'
import type { CommandSet } from '../shell/command-set.js'
import { fieldLines } from '../shell/field-lines.js'
import { humanTime, printable } from '../shell/human.js'
import { jsonBody, type NodeRequest } from '../shell/node-client.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'

/** A group, as `GET /v1/groups` lists it. */
interface ListedGroup {
  readonly group_id: string
  readonly name: string
  readonly role: string
  readonly count: number
  readonly created_at: string
}

interface Group extends ListedGroup {
  /** Null: only those who are in it see that. */
  readonly members: readonly { readonly user_id: string; readonly name: string | null; readonly role: string }[] | null
}

const GROUPS = new Table([
  { title: 'NAME', width: 20 },
  { title: 'PEOPLE', width: 6, align: 'right' },
  { title: 'YOU', width: 7 },
  { title: 'ID' }
])
const MEMBERS = new Table([{ title: 'NAME' }, { title: 'ROLE' }])

/** `group`: groups of people, to whom albums can be opened as to one. */
export function addGroups(commands: CommandSet): void {
  const parent = commands.program.command('group').description('make, list and change groups of people')
  const add = (usage: string, summary: string) => commands.client(usage, summary, parent)
  add('ls', 'list the groups that you are in, by name').action(commands.action(list))
  add('create <name>', 'make a group, which is yours').action(
    commands.action((session, name: string) => show(session, '/v1/groups', { method: 'POST', ...jsonBody({ name }) }))
  )
  add('show <group>', 'show who is in a group, by its name or id').action(
    commands.action(async (session, group: string) => show(session, await pathOf(session, group)))
  )
  add('rename <group> <name>', 'give a group another name').action(
    commands.action(async (session, group: string, name: string) =>
      show(session, await pathOf(session, group), { method: 'PATCH', ...jsonBody({ name }) })
    )
  )
  add('add <group> <user...>', 'take accounts into a group, by name or id')
    .option('--manager', 'they also say who is in it')
    .action(commands.action(addMembers))
  add('rm <group> <user...>', 'take accounts out of a group; your own, too').action(commands.action(removeMembers))
  add('delete <group>', 'delete a group for ever: nobody sees an album by it any more').action(
    commands.action(async (session, group: string) => {
      await session.client.json(await pathOf(session, group), { method: 'DELETE' })
      return 0
    })
  )
}

/**
 * @param given - a name or an id
 * @returns the id of the group
 * @throws `ERR_GROUP_NOT_FOUND`; `ERR_USAGE` where several have that name
 */
export async function groupCalled({ client }: Session, given: string): Promise<string> {
  const id = parseGroupId(given)
  if (id !== undefined) return id
  const { groups } = await client.json<{ groups: ListedGroup[] }>('/v1/groups')
  const [found, ...others] = groups.filter(({ name }) => foldText(name) === foldText(given))
  if (found === undefined)
    throw new SheafError(
      'ERR_GROUP_NOT_FOUND',
      `you are in no group with the name ${JSON.stringify(given)}; \`sheaf group ls\` lists them`
    )
  if (others.length > 0)
    throw new SheafError(
      'ERR_USAGE',
      `several groups have the name ${JSON.stringify(given)}: give the id of one, which \`sheaf group ls\` shows`
    )
  return found.group_id
}

async function list(session: Session): Promise<ExitCode> {
  const { groups } = await session.client.json<{ groups: ListedGroup[] }>('/v1/groups')
  if (session.json) for (const group of groups) await printJson(session, group)
  else if (groups.length > 0) {
    const rows = groups.map(({ name, count, role, group_id: id }) => [printable(name), String(count), role, id])
    for (const line of GROUPS.lines(rows)) await session.terminal.print(line)
  }
  return 0
}

async function addMembers(
  session: Session,
  group: string,
  users: readonly string[],
  { manager }: { readonly manager?: boolean }
): Promise<ExitCode> {
  const path = await pathOf(session, group)
  const role: MemberRole = manager === true ? 'manager' : 'member'
  for (const user of users) await session.client.json(memberPath(path, user), { method: 'PUT', ...jsonBody({ role }) })
  return show(session, path)
}

async function removeMembers(session: Session, group: string, users: readonly string[]): Promise<ExitCode> {
  const path = await pathOf(session, group)
  for (const user of users) await session.client.json(memberPath(path, user), { method: 'DELETE' })
  return 0
}

async function show(session: Session, path: string, request?: NodeRequest): Promise<ExitCode> {
  const group = await session.client.json<Group>(path, request)
  if (session.json) {
    await printJson(session, group)
    return 0
  }
  const { name, group_id: id, created_at, members } = group
  const fields = fieldLines([
    ['name', name],
    ['id', id],
    ['since', humanTime(created_at)]
  ])
  const rows = members?.map(member => [printable(member.name ?? member.user_id), member.role]) ?? []
  for (const line of [...fields, ...(rows.length > 0 ? MEMBERS.lines(rows) : [])]) await session.terminal.print(line)
  return 0
}

async function pathOf(session: Session, group: string): Promise<string> {
  return `/v1/groups/${encodeURIComponent(await groupCalled(session, group))}`
}

function memberPath(path: string, user: string): string {
  return `${path}/members/${encodeURIComponent(user)}`
}
