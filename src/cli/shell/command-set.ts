import type { Command } from 'commander'
import type { ExitCode, Session } from './session.js'
import type { Terminal } from './terminal.js'

/** What a command file needs to register its commands. */
export interface CommandSet {
  /** The root, for commands that talk to no node. */
  readonly program: Command
  /**
   * Adds a command that talks to a node, with `--node` and `--json`.
   *
   * @param parent - that it stands below; default: the root
   */
  client(usage: string, summary: string, parent?: Command): Command
  /**
   * Adds a client command that only the operator of a node or an administrator may use, with `--data` and `--token-file`.
   *
   * @param parent - that it stands below; default: the root
   */
  operator(usage: string, summary: string, parent?: Command): Command
  /** Makes a commander action of what a client command does. */
  action<Args extends unknown[]>(
    run: (session: Session, ...args: Args) => Promise<ExitCode>
  ): (this: Command, ...args: Args) => Promise<void>
  /** The same for commands that talk to no node. */
  localAction<Args extends unknown[]>(
    run: (terminal: Terminal, ...args: Args) => Promise<ExitCode>
  ): (this: Command, ...args: Args) => Promise<void>
}
