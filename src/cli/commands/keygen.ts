import type { CommandSet } from '../shell/command-set.js'

const KEY_BYTES = 32

/** `sheaf keygen`: a new cluster key, one line, to be kept in a file that `--cluster-key` names on every node. */
export function addKeygen(commands: CommandSet, random: { bytes(byteCount: number): Uint8Array }): void {
  const print = async (terminal: { print(line: string): Promise<void> }): Promise<0> => {
    await terminal.print(Buffer.from(random.bytes(KEY_BYTES)).toString('base64url'))
    return 0
  }
  commands.program
    .command('keygen')
    .description(
      'print a new cluster key: keep it in a file that only you can read, and give every node --cluster-key FILE'
    )
    .action(commands.localAction(print))
}
