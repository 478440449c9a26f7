import { SheafError } from '../../core/errors.js'
import type { CommandSet } from '../shell/command-set.js'
import { count, humanTime, printable } from '../shell/human.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'

/** A log-in, as `GET /v1/sessions` shows it. */
export interface SessionJson {
  readonly session_id: string
  /** What the client said of itself. */
  readonly label: string | null
  /** Where it was begun. */
  readonly node: string | null
  readonly current: boolean
  readonly created_at: string
  readonly expires_at: string
}

const TABLE = new Table([
  { title: 'ID' },
  { title: 'SINCE' },
  { title: 'UNTIL' },
  { title: 'BEGUN ON' },
  { title: 'BY' }
])

/** `session ls`, `session end`: where one is logged in. */
export function addSessions(commands: CommandSet): void {
  const group = commands.program.command('session').description('list where you are logged in; end it')
  commands
    .client('ls', 'list the places where you are logged in, browsers and programs, the latest first', group)
    .action(commands.action(list))
  commands
    .client('end [id]', 'log out somewhere else, such as on a telephone that was lost', group)
    .option('--others', 'everywhere but here')
    .action(commands.action(end))
}

async function list(session: Session): Promise<ExitCode> {
  const answer = await session.client.json<{ readonly sessions: readonly SessionJson[] }>('/v1/sessions')
  if (session.json) for (const one of answer.sessions) await printJson(session, one)
  else for (const line of TABLE.lines(answer.sessions.map(row))) await session.terminal.print(line)
  return 0
}

function row({ session_id, created_at, expires_at, node, label, current }: SessionJson): string[] {
  const by = printable(label ?? '?')
  return [
    printable(session_id),
    humanTime(created_at),
    humanTime(expires_at),
    printable(node ?? '?'),
    current ? `${by}, this one` : by
  ]
}

async function end(
  session: Session,
  id: string | undefined,
  { others = false }: { others?: boolean }
): Promise<ExitCode> {
  if ((id === undefined) !== others)
    throw new SheafError('ERR_USAGE', 'which one? `sheaf session end ID`, or `sheaf session end --others`')
  const path = `/v1/sessions/${encodeURIComponent(id ?? 'others')}`
  const answer = await session.client.json<{ readonly ended: number }>(path, { method: 'DELETE' })
  if (session.json) await printJson(session, answer)
  else if (session.terminal.interactive) session.terminal.note(`${count(answer.ended, 'log-in')} ended`)
  return 0
}
