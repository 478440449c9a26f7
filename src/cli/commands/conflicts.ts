import type { CommandSet } from '../shell/command-set.js'
import { printable } from '../shell/human.js'
import { photoPath } from '../shell/photo-path.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import { positiveInteger } from './options.js'

interface Conflict {
  readonly n: number
  readonly name: string
  readonly version: { readonly hlc: string; readonly actor: string }
}

const TABLE = new Table([{ title: 'N', align: 'right' }, { title: 'VERSION' }, { title: 'ACTOR' }, { title: 'NAME' }])

export function addConflicts(commands: CommandSet): void {
  commands
    .client('conflicts <id>', 'list versions of a photo that lost to a concurrent one')
    .option('--restore <n>', 'make version n the current one', positiveInteger)
    .action(commands.action(conflicts))
}

async function conflicts(session: Session, id: string, { restore }: { restore?: number }): Promise<ExitCode> {
  const { client, terminal } = session
  if (restore !== undefined) {
    const answer = await client.json<unknown>(photoPath(id, `/conflicts/${restore}/restore`), { method: 'POST' })
    if (session.json) await printJson(session, answer)
    return 0
  }
  const answer = await client.json<{ conflicts: readonly Conflict[] }>(photoPath(id, '/conflicts'))
  if (session.json) {
    await printJson(session, answer)
  } else if (answer.conflicts.length > 0) {
    const rows = answer.conflicts.map(({ n, version, name }) => [
      String(n),
      version.hlc,
      version.actor,
      printable(name)
    ])
    for (const line of TABLE.lines(rows)) await terminal.print(line)
  } else if (terminal.interactive) {
    terminal.note('no conflicts')
  }
  return 0
}
