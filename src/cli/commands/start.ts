import type { Command } from 'commander'
import type { CommandSet } from '../shell/command-set.js'
import type { FlagHint } from '../shell/completion-scripts.js'
import type { ExitCode } from '../shell/session.js'

/** Running a node is not the work of a client, so `main.ts` brings it along. */
export interface StartCommand {
  readonly flags: readonly FlagHint[]
  help(): string
  /** @param args - the command line after `start` */
  run(args: readonly string[]): Promise<ExitCode>
}

/** `sheaf start`. Commander does not see its settings, so that all of their faults are reported at once. */
export function addStart(commands: CommandSet, start: StartCommand): void {
  commands.program
    .command('start')
    .description('run a node in the foreground; Ctrl-C or SIGTERM stops it cleanly')
    .usage('[settings]')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText('after', () => `\n${start.help()}`)
    .action(commands.localAction((_terminal, _options: object, command: Command) => start.run(command.args)))
}
