import type { CommandSet } from '../command-set.js'
import { humanBytes, humanTime, printable } from '../human.js'
import { type ExitCode, printJson, type Session } from '../session.js'
import { Table } from '../table.js'

/** A member as `GET /cluster` tells it. */
export interface Member {
  readonly id: string
  readonly name: string
  readonly addresses: readonly string[]
  readonly self: boolean
  readonly state: string
  readonly last_seen: string | null
  readonly lag_bytes: number | null
  readonly disk: { readonly free_bytes: number; readonly total_bytes: number } | null
}

const TABLE = new Table([
  { title: 'ID' },
  { title: 'NAME' },
  { title: 'STATE' },
  { title: 'LAST SEEN' },
  { title: 'BEHIND', align: 'right' },
  { title: 'FREE', align: 'right' },
  { title: 'ADDRESS' }
])

export function addMembers(commands: CommandSet): void {
  commands.client('members', 'list the members of the cluster').action(commands.action(members))
}

async function members(session: Session): Promise<ExitCode> {
  const answer = await session.client.json<{ members: readonly Member[] }>('/cluster')
  if (session.json) await printJson(session, answer)
  else for (const line of TABLE.lines(answer.members.map(row))) await session.terminal.print(line)
  return 0
}

function row({ id, name, addresses, self, state, last_seen, lag_bytes, disk }: Member): string[] {
  return [
    printable(id),
    printable(name),
    self ? 'this node' : printable(state),
    last_seen === null ? 'never' : humanTime(last_seen),
    lag_bytes === null ? '?' : humanBytes(lag_bytes),
    disk === null ? '?' : humanBytes(disk.free_bytes),
    printable(addresses[0] ?? '')
  ]
}
