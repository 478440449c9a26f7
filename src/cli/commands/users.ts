import { Argument, Option } from 'commander'
import { parseBytes } from '../../core/byte-sizes.js'
import { SheafError } from '../../core/errors.js'
import { type AccountState, ROLES, type Role } from '../../domain/access.js'
import { parseUserId } from '../../domain/ids.js'
import { foldUserName } from '../../domain/user-names.js'
import type { CommandSet } from '../shell/command-set.js'
import { fieldLines } from '../shell/field-lines.js'
import { humanBytes, humanTime, printable } from '../shell/human.js'
import { jsonBody, type NodeRequest } from '../shell/node-client.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import { addInvites } from './invites.js'
import { logIn, type WhoAnswer } from './login.js'

/** Instead of a number. */
const NONE = 'none'
/** What one request lists. */
const PAGE = 1_000

/** An account, as `GET /v1/users` shows it. */
interface UserJson {
  readonly user_id: string
  readonly name: string
  readonly display: string | null
  readonly mail: string | null
  readonly role: Role
  readonly state: AccountState
  readonly has_password: boolean
  /** Nodes that were cut off from each other gave it different rights, or its name to another one. */
  readonly contested: boolean
  readonly created_at: string
  readonly closed_until: string | null
  readonly quota: { readonly bytes: number | null; readonly photos: number | null }
  /** Null: the index does not count that yet. */
  readonly usage: { readonly bytes: number; readonly photos: number } | null
}

interface UsersAnswer {
  readonly users: readonly UserJson[]
  readonly next_after: string | null
}

interface AddOptions {
  readonly admin?: boolean
  readonly role?: Role
  readonly display?: string
  readonly mail?: string
  readonly password: boolean
}

/** Fixed widths, so that the pages of a long list line up. */
const TABLE = new Table([
  { title: 'NAME', width: 16 },
  { title: 'ROLE', width: 7 },
  { title: 'STATE', width: 8 },
  { title: 'SINCE', width: 16 },
  { title: 'DISPLAY', width: 16 },
  { title: 'NOTES' }
])

/** `user`: accounts of people. Who may is the operator of the node, or an administrator who is logged in. */
export function addUsers(commands: CommandSet): void {
  const group = commands.program.command('user').description('make, list and change the accounts of people')
  const add = (usage: string, summary: string) => commands.operator(usage, summary, group)
  add('add <name>', 'make an account; the password is asked for, or a line of stdin')
    .addOption(new Option('--admin', 'of an administrator, as the first one has to be').conflicts('role'))
    .addOption(new Option('--role <role>', 'what it may do (default: user)').choices(ROLES))
    .option('--display <text>', 'the name that others see')
    .option('--mail <address>', 'shown to administrators; nothing is sent to it')
    .option('--no-password', 'nobody can log in before it gets one by `sheaf user passwd`')
    .action(commands.action(create))
  add('ls', 'list accounts, by name').action(commands.action(list))
  add('show [name]', 'show an account, by default your own').action(commands.action(show))
  add('passwd [name]', 'change your own password, with the old one; or set that of somebody else').action(
    commands.action(changePassword)
  )
  add('role <name>', 'give an account another role')
    .addArgument(new Argument('<role>', 'what it may do').choices(ROLES))
    .action(commands.action((session, name: string, role: Role) => change(session, name, 'role', { role })))
  add('quota <name> <size>', 'say how much the photos of an account may take, such as 50GB; `none`: as much as fits')
    .option('--photos <n>', 'how many photos it may have; `none`: as many as fit')
    .action(commands.action(setQuota))
  add('disable <name>', 'end all that an account has begun, and let nobody log in as it').action(
    commands.action((session, name: string) => change(session, name, 'state', { state: 'disabled' }))
  )
  add('close <name>', 'close an account: for seven days it can be opened again, then it is gone')
    .option('--photos <fate>', 'what becomes of its photos: `trash`, or `to:NAME`', 'trash')
    .action(commands.action(close))
  add('enable <name>', 'open an account that was disabled or closed').action(
    commands.action((session, name: string) => change(session, name, 'state', { state: 'open' }))
  )
  addInvites(commands, group)
}

async function create(session: Session, name: string, options: AddOptions): Promise<ExitCode> {
  const { display, mail } = options
  const role = options.admin === true ? 'admin' : options.role
  const [password] = options.password ? await session.secrets([{ text: 'Password', isNew: true }]) : []
  await print(session, await ask(session, '/v1/users', 'POST', { name, password, display, mail, role }))
  return 0
}

async function list(session: Session): Promise<ExitCode> {
  const { terminal, json } = session
  let shown = 0
  for await (const user of allUsers(session)) {
    if (shown++ === 0 && !json) await terminal.print(TABLE.header())
    const [line = ''] = TABLE.lines([row(user)], false)
    await (json ? printJson(session, user) : terminal.print(line))
  }
  return 0
}

function row(user: UserJson): string[] {
  const { name, role, state, created_at, display } = user
  return [
    printable(name),
    printable(role),
    printable(state),
    humanTime(created_at),
    printable(display ?? ''),
    notesOn(user).join(', ')
  ]
}

function notesOn({ has_password, contested }: UserJson): string[] {
  return [...(has_password ? [] : ['no password']), ...(contested ? ['contested'] : [])]
}

async function show(session: Session, name: string | undefined): Promise<ExitCode> {
  await print(session, await ask(session, userPath((await find(session, name)).id), 'GET'))
  return 0
}

async function changePassword(session: Session, given: string | undefined): Promise<ExitCode> {
  const { id, name, isOwn } = await find(session, given)
  const questions = [{ text: `New password of ${printable(name)}`, isNew: true }]
  const answers = await session.secrets(isOwn ? [{ text: 'Old password' }, ...questions] : questions)
  const [password = '', old] = answers.toReversed()
  await ask(session, `${userPath(id)}/password`, 'PUT', { old, new: password })
  // all log-ins of the account have ended, the one that is kept here among them
  if (isOwn && (await session.login.kept()) !== undefined) await logIn(session, name, password)
  if (session.json) await printJson(session, { user_id: id, name })
  else if (session.terminal.interactive)
    session.terminal.note(`the password of ${printable(name)} is changed; all other log-ins have ended`)
  return 0
}

async function change(session: Session, name: string, what: 'role' | 'state', body: object): Promise<ExitCode> {
  const { id } = await find(session, name)
  await print(session, await ask(session, `${userPath(id)}/${what}`, 'PUT', body))
  return 0
}

async function setQuota(
  session: Session,
  name: string,
  size: string,
  { photos }: { readonly photos?: string }
): Promise<ExitCode> {
  const bytes = size === NONE ? null : parseBytes(size)
  if (bytes === undefined)
    throw new SheafError('ERR_USAGE', `${JSON.stringify(size)} is no size: 50GB, 500M, or ${NONE}`)
  if (photos !== undefined && photos !== NONE && !/^\d{1,15}$/.test(photos))
    throw new SheafError('ERR_USAGE', `--photos is a whole number, or ${NONE}`)
  const { id } = await find(session, name)
  const number = photos === NONE ? null : photos === undefined ? undefined : Number(photos)
  await print(session, await ask(session, userPath(id), 'PATCH', { quota: { bytes, photos: number } }))
  return 0
}

async function close(session: Session, given: string, { photos }: { readonly photos: string }): Promise<ExitCode> {
  if (!/^(trash|to:.+)$/.test(photos)) throw new SheafError('ERR_USAGE', '--photos is trash or to:NAME')
  const { id, name, isOwn } = await find(session, given)
  const [password] = isOwn ? await session.secrets([{ text: `Password of ${printable(name)}` }]) : []
  await print(session, await ask(session, userPath(id), 'DELETE', { password, photos }))
  return 0
}

async function print(session: Session, user: UserJson): Promise<void> {
  if (session.json) return printJson(session, user)
  const { name, user_id, display, mail, role, state, created_at, closed_until, usage, quota } = user
  const fields = fieldLines([
    ['name', name],
    ['id', user_id],
    ['display', display ?? undefined],
    ['mail', mail ?? undefined],
    ['role', role],
    ['state', state],
    ['closed until', closed_until === null ? undefined : humanTime(closed_until)],
    ['photos', usage === null ? undefined : usageText(usage, quota)],
    ['since', humanTime(created_at)],
    ['notes', notesOn(user).join(', ') || undefined]
  ])
  for (const line of fields) await session.terminal.print(line)
}

function usageText(usage: NonNullable<UserJson['usage']>, quota: UserJson['quota']): string {
  const of = (text: string, max: string | undefined): string => (max === undefined ? text : `${text} of ${max}`)
  const bytes = of(humanBytes(usage.bytes), quota.bytes === null ? undefined : humanBytes(quota.bytes))
  return `${of(String(usage.photos), quota.photos === null ? undefined : String(quota.photos))}, ${bytes}`
}

interface Found {
  readonly id: string
  readonly name: string
  /** It is that of who asks. */
  readonly isOwn: boolean
}

/**
 * @param given - a name or an id; undefined: whoever asks
 * @throws `ERR_USAGE` when nobody is logged in and none is given; `ERR_USER_NOT_FOUND`
 */
async function find(session: Session, given: string | undefined): Promise<Found> {
  const { user } = await session.client.json<WhoAnswer>('/session', { operator: true })
  if (given === undefined && user === null)
    throw new SheafError('ERR_USAGE', 'nobody is logged in, so there is no account of your own: give a NAME')
  const isMeant = (one: Pick<UserJson, 'user_id' | 'name'>): boolean =>
    one.user_id === given?.toLowerCase() || foldUserName(one.name) === foldUserName(given ?? '')
  if (user !== null && (given === undefined || isMeant(user))) return { id: user.user_id, name: user.name, isOwn: true }
  const id = parseUserId(given ?? '')
  if (id !== undefined) return { id, name: id, isOwn: false }
  for await (const one of allUsers(session)) if (isMeant(one)) return { id: one.user_id, name: one.name, isOwn: false }
  throw new SheafError(
    'ERR_USER_NOT_FOUND',
    `no account has the name ${JSON.stringify(given)}; \`sheaf user ls\` lists them`
  )
}

async function* allUsers({ client }: Session): AsyncGenerator<UserJson> {
  let after: string | undefined
  do {
    const page: UsersAnswer = await client.json('/v1/users', { query: { after, limit: PAGE }, operator: true })
    yield* page.users
    after = page.next_after ?? undefined
  } while (after !== undefined)
}

function ask(
  { client }: Session,
  path: string,
  method: NodeRequest['method'] = 'GET',
  body?: object
): Promise<UserJson> {
  return client.json<UserJson>(path, { method, operator: true, ...(body && jsonBody(body)) })
}

function userPath(id: string): string {
  return `/v1/users/${encodeURIComponent(id)}`
}
