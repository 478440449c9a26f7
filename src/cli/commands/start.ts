import type { Command } from 'commander'
import type { CommandSet } from '../shell/command-set.js'
import type { ExitCode } from '../shell/session.js'

/** What a shell needs to complete a flag of `sheaf start`. */
export interface FlagHint {
  readonly flag: string
  readonly meaning: string
  readonly takesValue: boolean
  /** The values to choose from, where they are few. */
  readonly words: readonly string[]
  /** The value is a path. */
  readonly path: boolean
}

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
