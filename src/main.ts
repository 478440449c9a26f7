#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { runCli } from './cli/cli.js'
import type { RestoredFolder, RestoreOptions } from './cli/commands/backup.js'
import type { OpenedFolder } from './cli/commands/export.js'
import type { ExitCode } from './cli/shell/session.js'
import { flagHints, settingsHelp } from './config/help.js'
import { type Config, loadConfig } from './config.js'
import { systemClock } from './core/clock.js'
import { SheafError } from './core/errors.js'
import { holdProcess } from './core/hold-process.js'
import { LimitedLog } from './core/limited-log.js'
import type { LogLevel, LogLevelSwitch } from './core/log.js'
import { nodeFileSystem } from './core/node-file-system.js'
import { systemRandom } from './core/random.js'
import type { NodeComponents, SheafNode } from './node.js'
import { startLines } from './start-lines.js'
import { programVersion } from './version.js'

/** What a node writes is for its own user: the key, the photos, the directory. */
const PRIVATE_UMASK = 0o077

/** Under `npm start`, one Ctrl-C comes twice: from the terminal, and forwarded by npm. */
const ONE_SIGNAL_MS = 250

const version = programVersion()
const interrupt = new AbortController()
let signalSeen: { readonly name: NodeJS.Signals; readonly atMs: number } | undefined

/** The first signal asks for an end, the second does not wait for it. */
function onSignal(name: NodeJS.Signals): void {
  const atMs = systemClock.monotonic()
  if (signalSeen === undefined) {
    signalSeen = { name, atMs }
    interrupt.abort(new Error(`interrupted by ${name}`))
  } else if (atMs - signalSeen.atMs > ONE_SIGNAL_MS) process.exit(1)
}

/** `sheaf start`: runs a node until a signal. */
async function startNode(args: readonly string[]): Promise<ExitCode> {
  const config = loadConfig({
    args,
    environment: process.env,
    hostName: hostname(),
    readTextFile: path => readFileSync(path, 'utf8')
  })
  process.umask(PRIVATE_UMASK)
  const { SheafNode } = await import('./node.js')
  const components = await nodeComponents(config.logLevel)
  const { log } = components
  const node = new SheafNode(components, { config, version })
  try {
    await node.start()
  } catch (err) {
    if (!(err instanceof SheafError)) components.fatal(err)
    throw err
  }
  if (!interrupt.signal.aborted) {
    process.stdout.write(process.stdout.isTTY ? await greeting(config, node) : `ready ${JSON.stringify(node.ready)}\n`)
    const interrupted = new Promise<void>(resolve => {
      interrupt.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.race([interrupted, node.left])
  }
  log.info({ signal: signalSeen?.name }, 'stopping')
  await node.stop()
  log.info({}, 'stopped')
  return 0
}

/** For `sheaf export --from-folder`. */
async function readFolder(folder: string): Promise<OpenedFolder> {
  const { openFolder } = await import('./open-folder.js')
  return await openFolder(await nodeComponents('warn'), { folder, version })
}

/** For `sheaf restore`. */
async function restore(options: RestoreOptions): Promise<RestoredFolder> {
  process.umask(PRIVATE_UMASK)
  const { restoreBackup } = await import('./restore-backup.js')
  const components = { clock: systemClock, fileSystem: nodeFileSystem }
  const readTextFile = (path: string): string => readFileSync(path, 'utf8')
  return await restoreBackup(components, { environment: process.env, readTextFile }, options)
}

/** Only a node needs them, and the client commands start faster without. */
async function nodeComponents(logLevel: string): Promise<NodeComponents & { fatal(err: unknown): never }> {
  const { createLog } = await import('./node-log.js')
  const log = createLog({ level: logLevel, terminal: process.stderr.isTTY })
  const fatal = (err: unknown): never => {
    log.fatal({ err }, 'a defect: the node ends here')
    process.exit(1)
  }
  process.on('uncaughtException', fatal) // unhandled rejections come here as well
  const logLevelSwitch: LogLevelSwitch = {
    get level() {
      return log.level as LogLevel
    },
    set level(level) {
      log.level = level
    }
  }
  return {
    clock: systemClock,
    random: systemRandom,
    fileSystem: nodeFileSystem,
    log: new LimitedLog({ clock: systemClock, log }),
    logLevel: logLevelSwitch,
    fatal
  }
}

/** @returns what stands on a terminal in place of the ready line */
async function greeting(config: Config, node: SheafNode): Promise<string> {
  const lines = startLines({
    command: process.env.npm_command === undefined ? 'sheaf' : 'npx sheaf',
    http: node.ready.http,
    operatorToken: node.operatorToken,
    p2p: node.ready.p2p,
    folder: resolve(config.data),
    model: await node.model(),
    hasKey: config.clusterKeys.length > 0
  })
  return `\n${lines.join('\n')}\n\n`
}

process.on('SIGINT', onSignal)
process.on('SIGTERM', onSignal)
const letGo = holdProcess()
const exitCode = await runCli(
  process.argv.slice(2),
  {
    clock: systemClock,
    random: systemRandom,
    stdin: () => process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    signal: interrupt.signal
  },
  {
    version,
    start: { flags: flagHints(), help: settingsHelp, run: startNode },
    openFolder: readFolder,
    restoreBackup: restore
  }
)
letGo()
process.exitCode = exitCode
if (signalSeen !== undefined && exitCode !== 0) {
  // A shell that runs this in a loop must see that it was interrupted.
  process.off(signalSeen.name, onSignal)
  process.kill(process.pid, signalSeen.name)
}
