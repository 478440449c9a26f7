import type { CommandSet } from '../shell/command-set.js'

export function addVersion(commands: CommandSet, version: string): void {
  const line = `sheaf ${version} (node ${process.versions.node})`
  const print = async (terminal: { print(line: string): Promise<void> }, options: { json?: true }): Promise<0> => {
    const versions = { sheaf: version, node: process.versions.node }
    await terminal.print(options.json ? JSON.stringify(versions) : line)
    return 0
  }
  commands.program.version(line)
  commands.program
    .command('version')
    .description('print the version of this program')
    .option('--json', 'print JSON, for programs')
    .action(commands.localAction(print))
}
