import { Argument, type Command } from 'commander'
import type { CommandSet } from '../shell/command-set.js'
import { bashScript, type CompletedCommand, type FlagHint, fishScript, zshScript } from '../shell/completion-scripts.js'

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const
type Shell = keyof typeof SCRIPTS

/** `sheaf completion SHELL`: a script for the user's shell, made from the commands as they are registered. */
export function addCompletion(commands: CommandSet, startFlags: readonly FlagHint[]): void {
  const { program } = commands
  program
    .command('completion')
    .description('print completions for a shell: source <(sheaf completion bash)')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)))
    .action(
      commands.localAction(async (terminal, shell: Shell) => {
        const completed = program.commands.map(command =>
          describe(command, command.name() === 'start' ? startFlags : [])
        )
        await terminal.print(SCRIPTS[shell](completed))
        return 0
      })
    )
}

function describe(command: Command, furtherFlags: readonly FlagHint[]): CompletedCommand {
  const groups = command.commands // as of `sheaf models`, whose first argument says which
  const options = [command, ...groups].flatMap(one => one.createHelp().visibleOptions(one))
  const flags = options
    .filter((option, index) => options.findIndex(({ flags }) => flags === option.flags) === index)
    .map(option => ({
      flag: option.long ?? option.short ?? '',
      meaning: option.description,
      takesValue: option.required || option.optional,
      words: option.argChoices ?? [],
      path: /<(file|dir)>/.test(option.flags)
    }))
  const [argument] = command.registeredArguments
  const path = argument !== undefined && /^(path|dir)$/.test(argument.name())
  return {
    name: command.name(),
    summary: command.description(),
    flags: [...flags, ...furtherFlags],
    argument: groups.length > 0 ? groups.map(group => group.name()) : (argument?.argChoices ?? (path ? 'path' : 'none'))
  }
}
