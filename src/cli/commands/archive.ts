import { SheafError } from '../../core/errors.js'
import type { CommandSet } from '../shell/command-set.js'
import { fieldLines } from '../shell/field-lines.js'
import { count, humanBytes, humanSeconds, humanTime, printable } from '../shell/human.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { runJob } from './jobs.js'

/** `GET /v1/admin/archive` */
interface ArchiveStatus {
  readonly state: string
  readonly error: { readonly code: string; readonly message: string } | null
  readonly encrypted: boolean
  readonly volumes: number
  readonly archived_volumes: number
  readonly behind_bytes: number
  readonly behind_s: number
  readonly seen_at: string | null
}

/** `archive status`, `archive verify`, `archive restore`: the copy of the volumes in an object store. */
export function addArchive(commands: CommandSet): void {
  commands
    .operator('archive', 'look after the copy of the volumes in an object store')
    .argument(
      '<action>',
      '`status`: how far it is, exits 1 while it cannot be used; `verify`: read all of it and check it, exits 1 on damage; ' +
        '`restore`: fetch the volumes that no node in reach has any more, and fill holes'
    )
    .action(commands.action(archive))
}

async function archive(session: Session, action: string): Promise<ExitCode> {
  if (action === 'status') return status(session)
  if (action === 'verify') return runJob(session, 'archive/verify')
  if (action === 'restore') return runJob(session, 'archive/restore', '', true)
  throw new SheafError('ERR_USAGE', `there is no \`sheaf archive ${action}\`, only status, verify and restore`)
}

async function status(session: Session): Promise<ExitCode> {
  const answer = await session.client.json<ArchiveStatus>('/v1/admin/archive')
  const { state, error, encrypted, volumes, archived_volumes, behind_bytes, behind_s, seen_at } = answer
  if (session.json) {
    await printJson(session, answer)
  } else {
    const behind = behind_bytes === 0 ? 'nothing' : `${humanBytes(behind_bytes)}, for ${humanSeconds(behind_s)}`
    const lines: [string, string][] = [
      ['state', error === null ? state : `${state}: ${printable(error.message)} (${error.code})`],
      ['archived', `${archived_volumes} of ${count(volumes, 'volume')}`],
      ['behind', behind],
      ['encrypted', encrypted ? 'yes' : 'no'],
      ['in order at', seen_at === null ? 'not yet' : humanTime(seen_at)]
    ]
    for (const line of fieldLines(lines)) await session.terminal.print(line)
  }
  return error === null ? 0 : 1
}
