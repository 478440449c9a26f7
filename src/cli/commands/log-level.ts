import { Argument } from 'commander'
import { LOG_LEVELS } from '../../core/log.js'
import type { CommandSet } from '../shell/command-set.js'
import { jsonBody } from '../shell/node-client.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'

/** `POST /v1/admin/log-level` */
interface Answer {
  readonly level: string
  readonly previous: string
}

export function addLogLevel(commands: CommandSet): void {
  commands
    .operator('log-level', 'change what the node logs, until it ends')
    .addArgument(new Argument('<level>', 'from here on up').choices(LOG_LEVELS))
    .action(commands.action(changeLevel))
}

async function changeLevel(session: Session, level: string): Promise<ExitCode> {
  const answer = await session.client.json<Answer>('/v1/admin/log-level', {
    method: 'POST',
    operator: true,
    ...jsonBody({ level })
  })
  if (session.json) await printJson(session, answer)
  else await session.terminal.print(`${answer.level}, was ${answer.previous}`)
  return 0
}
