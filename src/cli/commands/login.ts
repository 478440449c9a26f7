import { hasCode, SheafError } from '../../core/errors.js'
import type { Role } from '../../domain/access.js'
import type { CommandSet } from '../shell/command-set.js'
import { loginFrom, type TokensAnswer } from '../shell/credentials.js'
import { fieldLines } from '../shell/field-lines.js'
import { printable } from '../shell/human.js'
import { originOf } from '../shell/logins.js'
import { jsonBody } from '../shell/node-client.js'
import { isOnThisMachine } from '../shell/operator-token.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import type { SessionJson } from './sessions.js'

const LABEL = 'sheaf login'

interface LoginOptions {
  readonly label?: string
}

interface LogoutOptions {
  readonly here?: boolean
}

/** `GET /session` */
export interface WhoAnswer {
  readonly user: {
    readonly user_id: string
    readonly name: string
    readonly display: string | null
    readonly role: Role
  } | null
  /** Requests need an account. */
  readonly accounts: boolean
  readonly can: readonly string[]
  readonly node: { readonly id: string; readonly name: string }
}

/** `login`, `logout`, `whoami`: as whom the commands that follow ask a node. */
export function addLogin(commands: CommandSet): void {
  commands
    .client(
      'login [name]',
      'log in to a node, for the commands that follow; the password is asked for, or a line of stdin'
    )
    .option('--label <text>', `what \`sheaf session ls\` calls this log-in (default: ${LABEL})`)
    .action(commands.action(login))
  commands
    .client('logout', 'end the log-in to a node, and forget it')
    .option('--here', 'only forget it on this machine: for a node that does not answer')
    .action(commands.action(logout))
  commands
    .client('whoami', 'show as whom the commands ask a node, and what they may do')
    .action(commands.action(whoami))
}

async function login(session: Session, given: string | undefined, { label = LABEL }: LoginOptions): Promise<ExitCode> {
  const name = given ?? (await session.login.kept())?.name
  if (name === undefined) throw new SheafError('ERR_USAGE', 'nobody was logged in to this node yet: `sheaf login NAME`')
  const { url, socketPath } = session.node
  if (url.protocol === 'http:' && socketPath === undefined && !isOnThisMachine(session.node))
    session.terminal.note(`the password goes to ${url.host} unencrypted: whoever listens has it; use https://`)
  const [password = ''] = await session.secrets([{ text: `Password of ${printable(name)}` }])
  await logIn(session, name, password, label)
  if (session.json) await printJson(session, { name, node: originOf(session.node) })
  else if (session.terminal.interactive)
    session.terminal.note(`logged in to ${originOf(session.node)} as ${printable(name)}`)
  return 0
}

/**
 * Logs in, and keeps that for the commands that follow.
 *
 * @throws `ERR_BAD_CREDENTIALS` and what else a node says, `ERR_USAGE` when it cannot be kept
 */
export async function logIn(session: Session, name: string, password: string, label = LABEL): Promise<void> {
  const request = { method: 'POST' as const, as: 'nobody' as const, ...jsonBody({ name, password, label }) }
  await session.login.keep(loginFrom(name, await session.client.json<TokensAnswer>('/v1/tokens', request)))
}

async function logout(session: Session, { here = false }: LogoutOptions): Promise<ExitCode> {
  const kept = await session.login.kept()
  if (kept === undefined) {
    session.terminal.note('nobody is logged in to this node')
    return 0
  }
  if (!here) await endSession(session)
  await session.login.forget()
  if (session.terminal.interactive) session.terminal.note(`${printable(kept.name)} is logged out`)
  return 0
}

/** Harmless when it has ended already. */
async function endSession({ client }: Session): Promise<void> {
  const over = (err: unknown): undefined => {
    if (!OVER.some(code => hasCode(err, code))) throw err
  }
  const answer = await client.json<{ sessions: readonly SessionJson[] }>('/v1/sessions', { as: 'kept' }).catch(over)
  const current = answer?.sessions.find(one => one.current)
  if (current !== undefined)
    await client.json(`/v1/sessions/${encodeURIComponent(current.session_id)}`, { method: 'DELETE', as: 'kept' })
}

/** What a node says that knows no such session any more. */
const OVER = ['ERR_UNAUTHENTICATED', 'ERR_SESSION_ENDED', 'ERR_ACCOUNT_DISABLED', 'ERR_NO_ACCOUNTS'] as const

async function whoami(session: Session): Promise<ExitCode> {
  const answer = await session.client.json<WhoAnswer>('/session')
  const { user, accounts, can, node } = answer
  if (session.json) await printJson(session, answer)
  else if (user !== null) {
    const fields = fieldLines([
      ['name', user.name],
      ['display', user.display ?? undefined],
      ['role', user.role],
      ['may', can.join(', ')],
      ['node', node.name]
    ])
    for (const line of fields) await session.terminal.print(line)
  } else
    session.terminal.note(
      accounts ? 'nobody, and this node needs an account: `sheaf login NAME`' : 'nobody: there are no accounts here'
    )
  return user === null && accounts ? 1 : 0
}
