import type { Clock } from '../../core/clock.js'
import type { CommandSet } from '../shell/command-set.js'
import { fieldLines } from '../shell/field-lines.js'
import { count, humanBytes, humanSeconds, printable } from '../shell/human.js'
import { jsonBody } from '../shell/node-client.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { YES } from './options.js'

const POLL_MS_MIN = 50
const POLL_MS_MAX = 1_000

/** Long work on the node, as `GET /v1/admin/jobs/{id}` shows it. */
interface Job {
  readonly job_id: string
  readonly kind: string
  readonly state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
  readonly progress?: { readonly done: number; readonly total?: number | null; readonly unit: string } | null
  readonly result?: unknown
  readonly error?: { readonly code: string; readonly message: string } | null
}

interface Fault {
  readonly volume?: string | null
  readonly photo_id?: string | null
  readonly problem: string
}

interface CompactOptions {
  readonly now?: boolean
  readonly yes?: boolean
}

const COMMANDS: readonly (readonly [name: string, summary: string])[] = [
  ['scrub', 'read every byte on disk and check its checksum; exits 1 on damage'],
  ['repair', 'fetch what is missing or damaged here from the other nodes; exits 1 if any of it remains']
]

/** What only the operator may start. */
const OPERATOR_COMMANDS: readonly (readonly [name: string, summary: string])[] = [
  ['rebuild-directory', 'make the directory again, from the volumes alone'],
  ['leave', 'hand everything over to the other members, leave the cluster and stop the node']
]

/** `verify`, `scrub`, `repair`, `compact`, `rebuild-directory`, `leave`: each starts a job on the node and follows it to its end. */
export function addJobs(commands: CommandSet): void {
  commands
    .client(
      'verify',
      'check the volumes against the directory; exits 1 on a difference, or on damage that is known; `sheaf scrub` looks for damage'
    )
    .option('--all-peers', 'compare with every other member too; one that does not answer counts as a difference')
    .action(
      commands.action(async (session: Session, { allPeers }: { readonly allPeers?: boolean }) =>
        runJob(session, 'verify', allPeers === true ? '?all_peers=true' : '')
      )
    )
  for (const [name, summary] of COMMANDS) {
    commands.client(name, summary).action(commands.action((session: Session) => runJob(session, name)))
  }
  for (const [name, summary] of OPERATOR_COMMANDS) {
    commands.operator(name, summary).action(commands.action((session: Session) => runJob(session, name, '', true)))
  }
  commands
    .operator('compact', 'free the space of photos that were deleted more than a day ago')
    .option('--now', 'also of those deleted since, which `sheaf undelete` then cannot bring back; asks first')
    .option(...YES)
    .action(commands.action(compact))
}

async function compact(session: Session, { now = false, yes }: CompactOptions): Promise<ExitCode> {
  const warning = 'This cannot be undone: deleted photos younger than a day cannot be brought back.'
  if (!now) return runJob(session, 'compact')
  return (await session.confirm(warning, yes)) ? runJob(session, 'compact', '?now=true', true) : 1
}

/** Starts a job on the node, and follows it to its end. */
export function runJob(session: Session, kind: string, query = '', operator = false, body?: object): Promise<ExitCode> {
  return runJobAt(session, `/v1/admin/${kind}${query}`, kind, operator, body)
}

/** As {@link runJob}. @param path - where it is started */
export async function runJobAt(
  session: Session,
  path: string,
  kind: string,
  operator: boolean,
  body?: object
): Promise<ExitCode> {
  const request = { method: 'POST' as const, operator, ...(body && jsonBody(body)) }
  const started = await session.client.json<Job>(path, request)
  const job = await follow(session, started, operator)
  const faults = faultsOf(job.result)
  if (session.json) {
    await printJson(session, job)
  } else if (job.state === 'done') {
    for (const fault of faults) session.terminal.note(`sheaf: ${faultLine(fault)}`)
    for (const line of fieldLines(resultFields(job.result))) await session.terminal.print(line)
  }
  if (job.state !== 'done') {
    const { code = 'ERR_INTERNAL', message = job.state } = job.error ?? {}
    session.terminal.note(`sheaf: ${kind} ${job.state}: ${printable(message)} (${code})`)
    return 1
  }
  return faults.length === 0 ? 0 : 1
}

/** Polls often at first, then every second. @returns the job once it has ended */
async function follow(session: Session, started: Job, operator: boolean): Promise<Job> {
  const { client, clock, terminal, signal } = session
  const beganMs = clock.monotonic()
  let job = started
  for (
    let pauseMs = POLL_MS_MIN;
    job.state === 'queued' || job.state === 'running';
    pauseMs = Math.min(pauseMs * 2, POLL_MS_MAX)
  ) {
    terminal.live(progressLine(job, clock, beganMs))
    await clock.sleep(pauseMs, signal)
    job = await client.json<Job>(`/v1/admin/jobs/${encodeURIComponent(started.job_id)}`, { operator })
  }
  terminal.live('')
  return job
}

function progressLine(job: Job, clock: Clock, beganMs: number): string {
  const elapsed = humanSeconds((clock.monotonic() - beganMs) / 1_000)
  if (job.progress == null) return `${job.kind}: ${job.state}  ${elapsed}`
  const { done, total, unit } = job.progress
  const amount = (n: number): string => (unit === 'bytes' ? humanBytes(n) : count(n, unit.replace(/s$/, '')))
  if (total == null) return `${job.kind}: ${amount(done)}  ${elapsed}`
  const share = total === 0 ? 100 : Math.floor((done / total) * 100)
  return `${job.kind}: ${share} %  ${amount(done)} of ${amount(total)}  ${elapsed}`
}

function faultsOf(result: unknown): readonly Fault[] {
  return isObject(result) && Array.isArray(result.faults) ? result.faults : []
}

function faultLine({ volume, photo_id, problem }: Fault): string {
  const where = [photo_id == null ? '' : `photo ${photo_id}`, volume == null ? '' : `volume ${volume}`]
  return printable([...where, problem].filter(part => part !== '').join(': '))
}

/** Numbers and texts of a report; `freed_bytes: 1200` is shown as `freed  1.20 kB`. */
function resultFields(result: unknown): [string, string][] {
  if (!isObject(result)) return []
  return Object.entries(result).flatMap(([key, value]): [string, string][] => {
    const name = key.replace(/_bytes$/, '').replaceAll('_', ' ')
    if (typeof value === 'number') return [[name, /(^|_)bytes$/.test(key) ? humanBytes(value) : String(value)]]
    if (typeof value === 'string') return [[name, value]]
    return Array.isArray(value) ? [[name, String(value.length)]] : []
  })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
