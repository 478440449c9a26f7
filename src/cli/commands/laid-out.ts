import { SheafError } from '../../core/errors.js'
import type { CommandSet } from '../shell/command-set.js'
import { fieldLines } from '../shell/field-lines.js'
import { count, humanTime, printable } from '../shell/human.js'
import { jsonBody, refusal } from '../shell/node-client.js'
import { type ExitCode, noteFailure, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import { timestamp, YES } from './options.js'

/** What one request shows, lets go of or brings back at most. */
const BATCH_MAX = 10_000

/** `GET /v1/admin/laid-out` */
interface LaidOutAnswer {
  readonly laid_out: readonly LaidOut[]
  readonly total: number
  readonly alarm: boolean
}

interface LaidOut {
  /** Older nodes do not say it. */
  readonly kind?: string
  readonly photo_id: string
  readonly from: string | null
  readonly died_at: string
  readonly until: string | null
  readonly name: string
}

interface Outcome {
  readonly photo_id: string
  readonly status: string
  readonly code?: string
}

interface Filter {
  readonly by?: string
  readonly since?: string
}

interface LaidOutOptions extends Pick<Filter, 'by'> {
  readonly release?: boolean
  readonly yes?: boolean
}

interface ExhumeOptions extends Filter {
  readonly laidOut?: boolean
  readonly yes?: boolean
}

const TABLE = new Table([
  { title: 'ID' },
  { title: 'DIED' },
  { title: 'BY' },
  { title: 'KEPT UNTIL' },
  { title: 'NAME' }
])

/** `laid-out`, `exhume`: what graves have ended on the node before its time. */
export function addLaidOut(commands: CommandSet): void {
  commands
    .operator(
      'laid-out',
      'list photos and albums that graves of other nodes have ended here, and that can still be brought back'
    )
    .option('--by <node>', 'only what graves of this node have ended, by its id')
    .option('--release', 'let go of them: they cannot be brought back any more')
    .option(...YES)
    .action(
      commands.action((session: Session, options: LaidOutOptions) =>
        options.release === true ? release(session, options) : list(session, options)
      )
    )
  commands
    .operator('exhume [id...]', 'bring back photos and albums that are laid out, on all nodes')
    .option('--laid-out', 'all that --by or --since say')
    .option('--by <node>', 'what graves of this node have ended, by its id')
    .option('--since <time>', 'what they have ended then or later, such as 2026-11-20 or 2026-11-20T14:03', timestamp)
    .option(...YES)
    .action(commands.action(exhume))
}

async function list(session: Session, { by }: LaidOutOptions): Promise<ExitCode> {
  const { terminal } = session
  const answer = await look(session, { ...(by !== undefined && { by }) }, BATCH_MAX)
  const { laid_out, total, alarm } = answer
  if (session.json) await printJson(session, answer)
  else if (total > 0) for (const line of TABLE.lines(laid_out.map(row))) await terminal.print(line)
  else if (terminal.interactive) terminal.note('nothing is laid out')
  if (laid_out.length < total) terminal.note(`${laid_out.length} of ${count(total, 'photo')}`)
  if (alarm)
    terminal.note(
      'ALARM: graves have ended so much here that nothing of it is let go before you have looked. Find out which node ' +
        'buries, and why; then `sheaf exhume` brings photos back, and `sheaf laid-out --release` lets go of them.'
    )
  return 0
}

function row({ kind, photo_id, died_at, from, until, name }: LaidOut): string[] {
  const kept = until === null ? 'you have looked' : humanTime(until)
  return [
    printable(photo_id),
    humanTime(died_at),
    printable(from ?? '?'),
    kept,
    kind === 'album' ? `album ${printable(name)}` : printable(name)
  ]
}

async function release(session: Session, { by, yes }: LaidOutOptions): Promise<ExitCode> {
  const filter = by === undefined ? {} : { by }
  const { total } = await look(session, filter, 1)
  const warning = `This cannot be undone: ${count(total, 'photo')} that graves have ended cannot be brought back.`
  if (!(await session.confirm(warning, yes))) return 1
  const answer = await session.client.json<{ readonly released: number }>('/v1/admin/laid-out/release', {
    method: 'POST',
    operator: true,
    ...jsonBody(filter)
  })
  if (session.json) await printJson(session, answer)
  else for (const line of fieldLines([['released', String(answer.released)]])) await session.terminal.print(line)
  return 0
}

async function exhume(session: Session, ids: readonly string[], options: ExhumeOptions): Promise<ExitCode> {
  const { by, since, laidOut = false, yes } = options
  const isFiltered = by !== undefined || since !== undefined
  if (laidOut ? ids.length > 0 || !isFiltered : ids.length === 0 || isFiltered)
    throw new SheafError(
      'ERR_USAGE',
      'name the photos: `sheaf exhume ID…`, or `sheaf exhume --laid-out` with --by NODE, --since TIME or both'
    )
  if (laidOut) return exhumeAll(session, { ...(by && { by }), ...(since && { since }) }, yes)
  let failed = 0
  for (let at = 0; at < ids.length; at += BATCH_MAX)
    failed += (await bringBack(session, ids.slice(at, at + BATCH_MAX))).length
  return failed === 0 ? 0 : 1
}

async function exhumeAll(session: Session, filter: Filter, isSure: boolean | undefined): Promise<ExitCode> {
  const { total } = await look(session, filter, 1)
  if (!(await session.confirm(`This brings ${count(total, 'photo')} back on all nodes.`, isSure))) return 1
  const failed = new Set<string>()
  for (;;) {
    // what is brought back is not laid out any more
    const { laid_out, total: left } = await look(session, filter, BATCH_MAX)
    const ids = laid_out.map(({ photo_id }) => photo_id).filter(id => !failed.has(id))
    if (ids.length === 0) {
      const unseen = left - laid_out.length
      if (unseen > 0) session.terminal.note(`sheaf: ${count(unseen, 'photo')} behind those that failed were not tried`)
      return left === 0 ? 0 : 1
    }
    for (const id of await bringBack(session, ids)) failed.add(id)
  }
}

/** Prints the id of each photo that was brought back. @returns the ids of the others */
async function bringBack(session: Session, ids: readonly string[]): Promise<string[]> {
  const { results } = await session.client.json<{ readonly results: readonly Outcome[] }>('/v1/admin/exhume', {
    method: 'POST',
    operator: true,
    ...jsonBody({ ids })
  })
  for (const outcome of results) {
    if (outcome.code !== undefined) noteFailure(session, outcome.photo_id, refusal(outcome.code))
    if (session.json) await printJson(session, outcome)
    else if (outcome.code === undefined) await session.terminal.print(printable(outcome.photo_id))
  }
  return results.flatMap(({ photo_id, code }) => (code === undefined ? [] : [photo_id]))
}

function look(session: Session, filter: Filter, limit: number): Promise<LaidOutAnswer> {
  return session.client.json<LaidOutAnswer>('/v1/admin/laid-out', { query: { ...filter, limit } })
}
