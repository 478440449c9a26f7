import { resolve } from 'node:path'
import { hasCode, SheafError } from '../../core/errors.js'
import type { Progress } from '../../core/progress.js'
import type { CommandSet } from '../shell/command-set.js'
import { fieldLines } from '../shell/field-lines.js'
import { humanBytes, humanTime } from '../shell/human.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { runJob } from './jobs.js'
import type { ClusterAnswer } from './members.js'

export interface RestoreOptions {
  /** `s3://BUCKET/PREFIX`, or an absolute path. */
  readonly target: string
  /** The data folder to make. */
  readonly folder: string
  readonly keyFile: string | undefined
  readonly sameIdentity: boolean
  /** Throws unless the node whose backup it is may come back with its identity. */
  readonly admit: (nodeId: string) => Promise<void>
  readonly progress: (progress: Progress) => void
  readonly signal: AbortSignal
}

export interface RestoredFolder {
  readonly nodeId: string
  readonly takenAtMs: number
  readonly volumes: number
  readonly bytes: number
}

/** Makes a data folder of a backup. It needs what only nodes need, so `main.ts` brings it along. */
export type RestoreBackup = (options: RestoreOptions) => Promise<RestoredFolder>

/** `backup TARGET [ACTION]`, which a node does, and `restore TARGET`, which needs none. */
export function addBackup(commands: CommandSet, restoreBackup: RestoreBackup): void {
  commands
    .operator('backup', 'back the node up: what is new since the last time')
    .argument('<target>', "s3://BUCKET/PREFIX at the node's object store, or a folder on its machine")
    .argument('[action]', '`run`; `verify`: read it back, exits 1 on damage; `prune`: remove leftovers', 'run')
    .action(
      commands.action((session: Session, target: string, action: string) => {
        const body = { target: targetOf(target), action: actionOf(action) }
        return runJob(session, 'backup', '', true, body)
      })
    )
  commands
    .client('restore', 'make the data folder of a node out of its backup; the node must not run')
    .argument('<target>', 's3://BUCKET/PREFIX, with the object store in SHEAF_ARCHIVE_ENDPOINT and so on; or a folder')
    .requiredOption('--data <dir>', 'the data folder to make')
    .option('--archive-key <file>', 'the key file of the backup (SHEAF_ARCHIVE_KEY_FILE)')
    .option('--same-identity', 'as the same node, which must be gone for good; default: as a new one')
    .action(
      commands.action((session: Session, target: string, options: Options) =>
        restore(session, target, options, restoreBackup)
      )
    )
}

interface Options {
  readonly data: string
  readonly archiveKey?: string
  readonly sameIdentity?: boolean
}

async function restore(
  session: Session,
  target: string,
  { data, archiveKey, sameIdentity = false }: Options,
  restoreBackup: RestoreBackup
): Promise<ExitCode> {
  const { terminal, signal } = session
  const report = await restoreBackup({
    target: targetOf(target),
    folder: resolve(data),
    keyFile: archiveKey,
    sameIdentity,
    admit: nodeId => requireGone(session, nodeId),
    progress: ({ done, total }) => terminal.live(`restoring ${humanBytes(done)} of ${humanBytes(total ?? done)}`),
    signal
  })
  terminal.live('')
  if (session.json) await printJson(session, report)
  else {
    const lines = [
      ['node', report.nodeId],
      ['as of', humanTime(new Date(report.takenAtMs).toISOString())],
      ['volumes', String(report.volumes)],
      ['bytes', humanBytes(report.bytes)]
    ] as const
    for (const line of fieldLines(lines)) await terminal.print(line)
    if (!sameIdentity)
      terminal.note(
        `the node that starts on it is a new member; remove the old one: sheaf member remove ${report.nodeId}`
      )
  }
  return 0
}

/** Two nodes with one key are one too many. @throws `ERR_USAGE` */
async function requireGone({ client, terminal }: Session, nodeId: string): Promise<void> {
  try {
    const { members } = await client.json<ClusterAnswer>('/cluster')
    const old = members.find(({ id }) => id === nodeId)
    if (old === undefined || old.state === 'down' || old.state === 'left') return
    throw new SheafError(
      'ERR_USAGE',
      `the node ${nodeId} is ${old.state}: stop it for good first, or restore without --same-identity`
    )
  } catch (err) {
    if (!hasCode(err, 'ERR_NODE_UNREACHABLE')) throw err
    terminal.note(
      'no node answers, so nobody can tell whether the old node is gone: make sure that it never starts again'
    )
  }
}

function targetOf(text: string): string {
  return text.startsWith('s3:') ? text : resolve(text)
}

function actionOf(text: string): string {
  if (['run', 'verify', 'prune'].includes(text)) return text
  throw new SheafError('ERR_USAGE', `there is no \`sheaf backup TARGET ${text}\`, only run, verify and prune`)
}
