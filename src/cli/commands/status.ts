import type { CommandSet } from '../shell/command-set.js'
import { fieldLines } from '../shell/field-lines.js'
import { count, humanBytes, humanSeconds, printable } from '../shell/human.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import type { ClusterAnswer, Member } from './members.js'

interface Status {
  readonly node_id: string
  readonly version: string
  readonly photos: number
  readonly bytes: number
  readonly volumes: number
  readonly directory_digest: string
  readonly disk?: { readonly free_bytes: number; readonly total_bytes: number }
  /** What other nodes hold and this one does not have yet. */
  readonly repair?: { readonly backlog_bytes: number; readonly bytes_per_s: number; readonly eta_s: number | null }
  /** The age of the oldest bytes that no other node has yet; null when there are none. */
  readonly oldest_unreplicated_s?: number | null
  /** Whose vectors are compared; null: none yet. */
  readonly model?: string | null
  readonly index?: { readonly vectors: number; readonly pending: number; readonly shards_left_out?: number }
}

interface Volume {
  readonly logical_volume: string
  readonly state: string
  readonly head: { readonly length: number; readonly digest: string }
  readonly needles: number
  readonly live_bytes: number
  readonly dead_bytes: number
  readonly holes: readonly unknown[]
  readonly copies: number
}

const VOLUMES = new Table([
  { title: 'VOLUME' },
  { title: 'STATE' },
  { title: 'LENGTH', align: 'right' },
  { title: 'LIVE', align: 'right' },
  { title: 'DEAD', align: 'right' },
  { title: 'NEEDLES', align: 'right' },
  { title: 'HOLES', align: 'right' },
  { title: 'COPIES', align: 'right' }
])

export function addStatus(commands: CommandSet): void {
  commands.client('status', 'show how the node is doing').action(commands.action(status))
  commands.client('volumes', 'list the volumes on the node').action(commands.action(volumes))
}

async function status(session: Session): Promise<ExitCode> {
  const answer = await session.client.json<Status>('/status')
  if (session.json) {
    await printJson(session, answer)
    return 0
  }
  const { node_id, version, photos, bytes, directory_digest, disk, repair, oldest_unreplicated_s } = answer
  const cluster = await session.client.json<ClusterAnswer>('/cluster')
  const lines = fieldLines([
    ['node', node_id],
    ['version', version],
    ['photos', String(photos)],
    ['stored', `${humanBytes(bytes)} in ${count(answer.volumes, 'volume')}`],
    ['disk', disk === undefined ? undefined : `${humanBytes(disk.free_bytes)} free of ${humanBytes(disk.total_bytes)}`],
    ['directory', directory_digest],
    ['members', memberCounts(cluster.members)],
    ['behind', repair === undefined ? undefined : backlog(repair)],
    ['model', answer.model === undefined ? undefined : (answer.model ?? 'none')],
    ['index', answer.index === undefined ? undefined : indexCounts(answer.index)],
    ['only here', oldest_unreplicated_s == null ? undefined : `for ${humanSeconds(oldest_unreplicated_s)}`]
  ])
  for (const line of lines) await session.terminal.print(line)
  const laidOut = laidOutNote(cluster)
  if (laidOut !== undefined) session.terminal.note(laidOut)
  return 0
}

function laidOutNote({ members, laid_out = [], laid_out_alarm = false }: ClusterAnswer): string | undefined {
  const total = laid_out.reduce((sum, { count }) => sum + count, 0)
  if (total === 0) return undefined
  const nameOf = (id: string | null): string => members.find(member => member.id === id)?.name || (id ?? 'nobody known')
  const died = `${count(total, 'photo')} died here by graves from ${printable(laid_out.map(({ from }) => nameOf(from)).join(', '))}`
  return laid_out_alarm
    ? `ALARM: ${died}; nothing of it is let go before you have looked: see \`sheaf laid-out\``
    : `${died}, and can still be brought back: see \`sheaf laid-out\``
}

/** @returns `3 (2 alive, 1 down)` */
function memberCounts(members: readonly Member[]): string {
  const counts = new Map<string, number>()
  for (const { state } of members) counts.set(state, (counts.get(state) ?? 0) + 1)
  return `${members.length} (${Array.from(counts, ([state, n]) => `${n} ${state}`).join(', ')})`
}

function indexCounts({ vectors, pending, shards_left_out = 0 }: NonNullable<Status['index']>): string {
  const full = shards_left_out === 0 ? '' : `; no memory for ${shards_left_out} of 64 parts, see --vector-bytes`
  return `${count(vectors, 'photo')}${pending === 0 ? '' : `, ${pending} to come`}${full}`
}

function backlog({ backlog_bytes, bytes_per_s, eta_s }: NonNullable<Status['repair']>): string {
  if (backlog_bytes === 0) return 'nothing'
  const left = eta_s === null ? '' : `, ${humanSeconds(eta_s)} left`
  return `${humanBytes(backlog_bytes)}, coming in at ${humanBytes(bytes_per_s)}/s${left}`
}

async function volumes(session: Session): Promise<ExitCode> {
  const answer = await session.client.json<{ volumes: readonly Volume[] }>('/volumes')
  if (session.json) {
    await printJson(session, answer)
    return 0
  }
  const rows = answer.volumes.map(volume => [
    volume.logical_volume,
    volume.state,
    humanBytes(volume.head.length),
    humanBytes(volume.live_bytes),
    humanBytes(volume.dead_bytes),
    String(volume.needles),
    String(volume.holes.length),
    String(volume.copies)
  ])
  for (const line of VOLUMES.lines(rows)) await session.terminal.print(line)
  return 0
}
