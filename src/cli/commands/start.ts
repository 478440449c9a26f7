import type { Command } from 'commander'
import type { CommandSet } from '../shell/command-set.js'
import type { FlagHint } from '../shell/completion-scripts.js'
import type { ExitCode } from '../shell/session.js'

/** Running a node is not the client's work: whoever has a node to run says how. */
export interface StartCommand {
  readonly flags: readonly FlagHint[]
  help(): string
  /** @param args - the command line after `start` */
  run(args: readonly string[]): Promise<ExitCode>
}

/** `sheaf start`. Its settings are not commander's: all of their faults are reported at once. */
export function addStart(commands: CommandSet, start: StartCommand): void {
  commands.program
    .command('start')
    .description('run a node in the foreground; SIGTERM or Ctrl-C stop it cleanly')
    .usage('[settings]')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText('after', () => `\n${start.help()}`)
    .action(commands.localAction((_terminal, _options: object, command: Command) => start.run(command.args)))
}
