import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import type { Clock } from '../core/clock.js'
import { hasCode, SheafError, systemErrorCode } from '../core/errors.js'
import type { Random } from '../core/random.js'
import { addAlbums } from './commands/albums.js'
import { addArchive } from './commands/archive.js'
import { addBackup, type RestoreBackup } from './commands/backup.js'
import { addCompletion } from './commands/completion.js'
import { addConflicts } from './commands/conflicts.js'
import { addDuplicates } from './commands/duplicates.js'
import { addExport, type OpenFolder } from './commands/export.js'
import { addGet } from './commands/get.js'
import { addGroups } from './commands/groups.js'
import { addImport } from './commands/import.js'
import { addInfo } from './commands/info.js'
import { addJobs } from './commands/jobs.js'
import { addKeygen } from './commands/keygen.js'
import { addKeys } from './commands/keys.js'
import { addLaidOut } from './commands/laid-out.js'
import { addLibrary } from './commands/library.js'
import { addLinks } from './commands/links.js'
import { addList } from './commands/list.js'
import { addLogLevel } from './commands/log-level.js'
import { addLogin } from './commands/login.js'
import { addMembers } from './commands/members.js'
import { addModels } from './commands/models.js'
import { addPut } from './commands/put.js'
import { addRemove } from './commands/remove.js'
import { addSearch } from './commands/search.js'
import { addSessions } from './commands/sessions.js'
import { addSimilar } from './commands/similar.js'
import { addStart, type StartCommand } from './commands/start.js'
import { addStatus } from './commands/status.js'
import { addUsers } from './commands/users.js'
import { addVersion } from './commands/version.js'
import { OVERVIEW } from './overview.js'
import type { CommandSet } from './shell/command-set.js'
import { confirm, type Input } from './shell/confirmation.js'
import { type CredentialSource, Credentials, type TokensAnswer } from './shell/credentials.js'
import { Logins, loginsPath } from './shell/logins.js'
import { jsonBody, NodeClient, parseNodeAddress } from './shell/node-client.js'
import { askSecrets } from './shell/secret-prompt.js'
import { describeError, type ExitCode, type Session } from './shell/session.js'
import { type Output, Terminal } from './shell/terminal.js'

const NODE_URL = 'http://127.0.0.1:8000'

export interface CliComponents {
  readonly clock: Clock
  readonly random: Random
  readonly stdin: () => Input
  readonly stdout: Output
  readonly stderr: Output
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal
}

interface ClientOptions extends Omit<CredentialSource, 'environment'> {
  readonly node?: string
  readonly ca?: string
  readonly json?: boolean
}

export interface CliInit {
  readonly version: string
  readonly start: StartCommand
  readonly openFolder: OpenFolder
  readonly restoreBackup: RestoreBackup
}

/**
 * Runs one command line.
 *
 * @param argv - without the program's own name
 * @returns 0 done, 1 failed, 2 wrong usage or configuration; never throws for what a user or a node did
 */
export async function runCli(argv: readonly string[], components: CliComponents, init: CliInit): Promise<ExitCode> {
  const { stdout, stderr } = components
  const readerLeft = new AbortController()
  // `sheaf ls | head`: the reader has what it wanted.
  const onStdoutError = (err: Error): void => readerLeft.abort(err)
  stdout.on('error', onStdoutError)
  const signal = AbortSignal.any([components.signal, readerLeft.signal])
  const terminal = new Terminal(stdout, stderr, signal)
  let exitCode: ExitCode = 0

  const operators = new WeakSet<Command>()
  const commands: CommandSet = {
    program: new Command('sheaf'),
    client: (usage, summary, parent = commands.program) =>
      parent
        .command(usage)
        .description(summary)
        .option('--node <url>', `the node to talk to (SHEAF_NODE, default: ${NODE_URL})`)
        .option('--ca <file>', 'PEM file of the authority whose certificates to trust, for https (SHEAF_CA)')
        .option(
          '--api-key-file <file>',
          'an API key, to ask as somebody else than who is logged in (SHEAF_TOKEN: the key)'
        )
        .option('--json', 'print JSON, for programs'),
    operator: (usage, summary, parent) => {
      const command = commands
        .client(usage, summary, parent)
        .option(
          '--data <dir>',
          "the node's data folder, which holds the operator's token (SHEAF_DATA, default: ./data)"
        )
        .option('--token-file <file>', "the operator's token, elsewhere (SHEAF_TOKEN_FILE)")
      operators.add(command)
      return command
    },
    action: run =>
      async function (this: Command, ...args) {
        // commander gives a command above this one the options that both have
        const { node, ca, json, data, ...named } = this.optsWithGlobals<ClientOptions>()
        const { environment } = components
        // elsewhere it is no folder with a token: `restore` makes one
        const source = { ...named, ...(data !== undefined && operators.has(this) && { data }), environment }
        const address = parseNodeAddress(node ?? (environment.SHEAF_NODE || NODE_URL))
        const refresh = (refreshToken: string): Promise<TokensAnswer> => {
          const body = jsonBody({ refresh_token: refreshToken })
          return client.json<TokensAnswer>('/v1/tokens', { method: 'POST', as: 'nobody', ...body })
        }
        const logins = new Logins(components, loginsPath(environment))
        const credentials = new Credentials({ ...components, logins, refresh }, address, source)
        const authority = readAuthority(ca ?? (environment.SHEAF_CA || undefined))
        const client = new NodeClient({ ...components, credentials }, { ...address, ca: authority, signal })
        try {
          const { clock, random, stdin } = components
          const asking = { terminal, stdin, signal }
          const session: Session = {
            client,
            node: address,
            login: credentials,
            terminal,
            clock,
            random,
            json: json === true,
            signal,
            confirm: (warning, isSure) => confirm(asking, warning, isSure),
            secrets: questions => askSecrets(asking, questions)
          }
          exitCode = await run(session, ...args)
        } finally {
          client.close()
          terminal.live('')
        }
      },
    localAction: run =>
      async function (this: Command, ...args) {
        exitCode = await run(terminal, ...args)
      }
  }
  addCommands(commands, components, init)
  try {
    await commands.program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (err) {
    if (err instanceof CommanderError) return err.exitCode === 0 ? 0 : 2 // commander has said why
    if (readerLeft.signal.aborted && systemErrorCode(readerLeft.signal.reason) === 'EPIPE') return 0
    if (!components.signal.aborted) terminal.note(`sheaf: ${describeError(err)}`)
    return hasCode(err, 'ERR_USAGE') || hasCode(err, 'ERR_CONFIG') ? 2 : 1
  } finally {
    stdout.off('error', onStdoutError)
  }
}

/** @throws `ERR_USAGE` when the file cannot be read or holds no certificate */
function readAuthority(path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined
  let pem: Buffer
  try {
    pem = readFileSync(path)
  } catch (cause) {
    throw new SheafError('ERR_USAGE', `--ca ${path} cannot be read (${systemErrorCode(cause) ?? cause})`, { cause })
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new SheafError('ERR_USAGE', `--ca ${path} holds no certificate in PEM`)
  return pem
}

function addCommands(
  commands: CommandSet,
  components: CliComponents,
  { version, start, openFolder, restoreBackup }: CliInit
): void {
  const { stdout, stderr, random } = components
  commands.program.helpInformation = () => OVERVIEW
  commands.program.exitOverride().configureOutput({
    writeOut: text => stdout.write(text),
    writeErr: text => stderr.write(text),
    getOutHelpWidth: () => stdout.columns ?? 80,
    getErrHelpWidth: () => stderr.columns ?? 80,
    outputError: (text, write) => write(text.replace(/^error:/, 'sheaf:'))
  })
  addStart(commands, start)
  addPut(commands)
  addGet(commands)
  addRemove(commands)
  addList(commands)
  addAlbums(commands)
  addLibrary(commands)
  addInfo(commands)
  addImport(commands, components)
  addExport(commands, openFolder)
  addSimilar(commands)
  addSearch(commands)
  addDuplicates(commands)
  addStatus(commands)
  addMembers(commands)
  addConflicts(commands)
  addJobs(commands)
  addLaidOut(commands)
  addArchive(commands)
  addBackup(commands, restoreBackup)
  addLogLevel(commands)
  addLogin(commands)
  addUsers(commands)
  addGroups(commands)
  addLinks(commands)
  addKeys(commands)
  addSessions(commands)
  addModels(commands, components)
  addKeygen(commands, random)
  addVersion(commands, version)
  addCompletion(commands, start.flags)
  // last, or the commands would inherit it
  commands.program.showHelpAfterError(
    '`sheaf help` lists the commands; options come after the command, as in sheaf ls --json'
  )
}
