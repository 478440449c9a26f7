import type { CommandSet } from '../shell/command-set.js'
import { photoPath } from '../shell/photo-path.js'
import { type ExitCode, errorJson, noteFailure, printJson, type Session, throwIfOver } from '../shell/session.js'

interface Removal {
  readonly status: string
  readonly photo_id: string
}

export function addRemove(commands: CommandSet): void {
  commands.client('rm <id...>', 'delete photos; `sheaf undelete` brings them back').action(
    commands.action((session: Session, ids: readonly string[]) => {
      return forEachId(session, ids, id => session.client.json<Removal>(photoPath(id), { method: 'DELETE' }))
    })
  )
  commands.client('undelete <id...>', 'bring deleted photos back, while their bytes are still on disk').action(
    commands.action((session: Session, ids: readonly string[]) => {
      return forEachId(session, ids, id => session.client.json<Removal>(photoPath(id, '/undelete'), { method: 'POST' }))
    })
  )
}

/** Continues after a failure. Prints the id of each photo that was changed. */
async function forEachId(
  session: Session,
  ids: readonly string[],
  change: (id: string) => Promise<Removal>
): Promise<ExitCode> {
  let exitCode: ExitCode = 0
  for (const id of ids) {
    try {
      const answer = await change(id)
      await (session.json ? printJson(session, answer) : session.terminal.print(answer.photo_id))
    } catch (err) {
      throwIfOver(session, err)
      exitCode = 1
      noteFailure(session, id, err)
      if (session.json) await printJson(session, { photo_id: id, error: errorJson(err) })
    }
  }
  return exitCode
}
