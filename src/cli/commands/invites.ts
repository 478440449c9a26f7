import { type Command, Option } from 'commander'
import { INVITE_ROLES, type InviteRole } from '../../domain/invite.js'
import type { CommandSet } from '../shell/command-set.js'
import { humanTime, printable } from '../shell/human.js'
import { jsonBody } from '../shell/node-client.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import { timestamp } from './options.js'

/** An invite, as `GET /v1/invites` shows it. */
interface InviteJson {
  readonly invite_id: string
  readonly role: InviteRole
  readonly label: string | null
  readonly created_at: string
  readonly expires_at: string
}

interface InviteOptions {
  readonly role?: InviteRole
  readonly label?: string
  readonly expires?: string
}

const TABLE = new Table([
  { title: 'ID' },
  { title: 'SINCE' },
  { title: 'UNTIL' },
  { title: 'ROLE' },
  { title: 'LABEL' }
])

/** `user invite`, `user invites`, `user uninvite`: people who make accounts for themselves. */
export function addInvites(commands: CommandSet, group: Command): void {
  commands
    .operator('invite', 'let somebody make an account: prints an address for one person, this once', group)
    .addOption(new Option('--role <role>', 'what the account may do (default: user)').choices(INVITE_ROLES))
    .option('--label <text>', 'whom it is for')
    .option('--expires <time>', 'when it ends, such as 2026-11-20; default: in 14 days', timestamp)
    .action(commands.action(create))
  commands.operator('invites', 'list invites that nobody has used yet', group).action(commands.action(list))
  commands.operator('uninvite <id...>', 'take invites back, by id', group).action(commands.action(remove))
}

async function create(session: Session, { role, label, expires }: InviteOptions): Promise<ExitCode> {
  const { client, terminal, node } = session
  const answer = await client.json<{ readonly invite: InviteJson; readonly secret: string }>('/v1/invites', {
    method: 'POST',
    operator: true,
    ...jsonBody({ role, label, expires_at: expires })
  })
  if (session.json) await printJson(session, answer)
  else {
    await terminal.print(printable(`${node.url}#/invite/${answer.secret}`))
    if (terminal.interactive)
      terminal.note(
        `this is invite ${printable(answer.invite.invite_id)}, until ${humanTime(answer.invite.expires_at)}`
      )
  }
  return 0
}

async function list(session: Session): Promise<ExitCode> {
  const { invites } = await session.client.json<{ readonly invites: readonly InviteJson[] }>('/v1/invites', {
    operator: true
  })
  if (session.json) for (const invite of invites) await printJson(session, invite)
  else for (const line of TABLE.lines(invites.map(row))) await session.terminal.print(line)
  return 0
}

function row({ invite_id, created_at, expires_at, role, label }: InviteJson): string[] {
  return [printable(invite_id), humanTime(created_at), humanTime(expires_at), printable(role), printable(label ?? '')]
}

async function remove(session: Session, ids: readonly string[]): Promise<ExitCode> {
  for (const id of ids) {
    const answer = await session.client.json<{ readonly invite_id: string }>(`/v1/invites/${encodeURIComponent(id)}`, {
      method: 'DELETE',
      operator: true
    })
    await (session.json ? printJson(session, answer) : session.terminal.print(printable(answer.invite_id)))
  }
  return 0
}
