import { Option } from 'commander'
import { API_KEY_SCOPES } from '../../domain/api-key.js'
import type { CommandSet } from '../shell/command-set.js'
import { humanTime, printable } from '../shell/human.js'
import { jsonBody } from '../shell/node-client.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import { timestamp } from './options.js'

/** An API key, as `GET /v1/keys` shows it. */
interface KeyJson {
  readonly key_id: string
  readonly label: string | null
  readonly scopes: readonly string[]
  readonly created_at: string
  /** Null: it has no end. */
  readonly expires_at: string | null
}

interface CreateOptions {
  readonly scope: readonly string[]
  readonly label?: string
  readonly expires?: string
}

const TABLE = new Table([
  { title: 'ID' },
  { title: 'SINCE' },
  { title: 'UNTIL' },
  { title: 'SCOPES' },
  { title: 'LABEL' }
])

/** `key create`, `key ls`, `key rm`: one's own keys for programs. */
export function addKeys(commands: CommandSet): void {
  const group = commands.program
    .command('key')
    .description('make, list and delete API keys, with which programs ask for you')
  commands
    .client('create', 'make an API key; it is printed this once, so that `> FILE` keeps it for --api-key-file', group)
    .addOption(
      new Option('--scope <scope...>', 'what a program may do with it, of what you may')
        .choices(API_KEY_SCOPES)
        .makeOptionMandatory()
    )
    .option('--label <text>', 'what `sheaf key ls` calls it')
    .option('--expires <time>', 'when it ends, such as 2026-11-20; default: when it is deleted', timestamp)
    .action(commands.action(create))
  commands.client('ls', 'list your API keys, the latest first', group).action(commands.action(list))
  commands
    .client('rm <id...>', 'delete API keys, by id: what uses them is refused from then on', group)
    .action(commands.action(remove))
}

async function create(session: Session, { scope: scopes, label, expires }: CreateOptions): Promise<ExitCode> {
  const { client, terminal } = session
  const answer = await client.json<{ readonly key: KeyJson; readonly secret: string }>('/v1/keys', {
    method: 'POST',
    ...jsonBody({ scopes, label, expires_at: expires })
  })
  if (session.json) await printJson(session, answer)
  else {
    await terminal.print(printable(answer.secret))
    if (terminal.interactive) terminal.note(`this is key ${printable(answer.key.key_id)}; it is not shown again`)
  }
  return 0
}

async function list(session: Session): Promise<ExitCode> {
  const { keys } = await session.client.json<{ readonly keys: readonly KeyJson[] }>('/v1/keys')
  if (session.json) for (const key of keys) await printJson(session, key)
  else for (const line of TABLE.lines(keys.map(row))) await session.terminal.print(line)
  return 0
}

function row({ key_id, created_at, expires_at, scopes, label }: KeyJson): string[] {
  return [
    printable(key_id),
    humanTime(created_at),
    expires_at === null ? 'deleted' : humanTime(expires_at),
    printable(scopes.join(' ')),
    printable(label ?? '')
  ]
}

async function remove(session: Session, ids: readonly string[]): Promise<ExitCode> {
  for (const id of ids) {
    const answer = await session.client.json<{ readonly key_id: string }>(`/v1/keys/${encodeURIComponent(id)}`, {
      method: 'DELETE'
    })
    await (session.json ? printJson(session, answer) : session.terminal.print(printable(answer.key_id)))
  }
  return 0
}
