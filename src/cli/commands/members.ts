import { SheafError } from '../../core/errors.js'
import type { CommandSet } from '../shell/command-set.js'
import { humanBytes, humanTime, printable } from '../shell/human.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'

/** A member as `GET /cluster` shows it. */
export interface Member {
  readonly id: string
  readonly name: string
  readonly addresses: readonly string[]
  readonly self: boolean
  readonly state: string
  readonly last_seen: string | null
  readonly lag_bytes: number | null
  readonly record_formats?: readonly number[] | null
  readonly disk: { readonly free_bytes: number; readonly total_bytes: number } | null
  /** Absent: the node is older than graves. */
  readonly purged_to?: string | null
}

/** Of a time: deletes are purged over days. */
const DAY_CHARACTERS = '2026-11-20'.length

const TABLE = new Table([
  { title: 'ID' },
  { title: 'NAME' },
  { title: 'STATE' },
  { title: 'LAST SEEN' },
  { title: 'BEHIND', align: 'right' },
  { title: 'FREE', align: 'right' },
  { title: 'PURGED TO' },
  { title: 'ADDRESS' }
])

/** `GET /cluster` */
export interface ClusterAnswer {
  readonly members: readonly Member[]
  /** What graves have ended on the node before its time. Absent: it is older than graves. */
  readonly laid_out?: readonly { readonly from: string | null; readonly count: number }[]
  readonly laid_out_alarm?: boolean
  readonly record_format?: number
}

export function addMembers(commands: CommandSet): void {
  commands.client('members', 'list the members of the cluster').action(commands.action(members))
  commands
    .operator('member', 'remove a member that will not come back')
    .argument('<action>', '`remove`: the member counts no longer')
    .argument('<id>', 'node id, as `sheaf members` lists it')
    .action(commands.action(changeMember))
}

async function changeMember(session: Session, action: string, id: string): Promise<ExitCode> {
  if (action !== 'remove')
    throw new SheafError('ERR_USAGE', `there is no \`sheaf member ${action}\`, only \`sheaf member remove ID\``)
  const answer = await session.client.json(`/v1/admin/members/${encodeURIComponent(id)}`, {
    method: 'DELETE',
    operator: true
  })
  if (session.json) await printJson(session, answer)
  else await session.terminal.print(printable(id))
  return 0
}

async function members(session: Session): Promise<ExitCode> {
  const answer = await session.client.json<ClusterAnswer>('/cluster')
  if (session.json) await printJson(session, answer)
  else {
    for (const line of TABLE.lines(answer.members.map(row))) await session.terminal.print(line)
    for (const note of formatNotes(answer)) session.terminal.note(note)
  }
  return 0
}

/** @returns who reads later record formats than the cluster has, and who does not read that one */
function formatNotes({ members, record_format: format }: ClusterAnswer): string[] {
  if (format === undefined) return []
  const reading = (fits: (max: number) => boolean): string =>
    members
      .filter(({ state, record_formats }) => state !== 'left' && record_formats != null && fits(record_formats[1] ?? 0))
      .map(({ name }) => printable(name))
      .join(', ')
  const [ahead, behind] = [reading(max => max > format), reading(max => max < format)]
  return [
    ...(ahead === '' ? [] : [`the cluster has record format ${format} until all members read more, as do: ${ahead}`]),
    ...(behind === '' ? [] : [`the cluster has record format ${format}, which is not read by: ${behind}; upgrade`])
  ]
}

function row({ id, name, addresses, self, state, last_seen, lag_bytes, disk, purged_to }: Member): string[] {
  return [
    printable(id),
    printable(name),
    self ? 'this node' : printable(state),
    last_seen === null ? 'never' : humanTime(last_seen),
    lag_bytes === null ? '?' : humanBytes(lag_bytes),
    disk === null ? '?' : humanBytes(disk.free_bytes),
    purged_to == null ? '?' : humanTime(purged_to).slice(0, DAY_CHARACTERS),
    printable(addresses[0] ?? '')
  ]
}
