import { Option } from 'commander'
import type { CommandSet } from '../shell/command-set.js'
import { count } from '../shell/human.js'
import { inOrder } from '../shell/in-order.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { ASKED_AT_ONCE, type CoverageJson, nameOf, noteCoverage } from './scored-photos.js'

/** Of a group; each name is a request. */
const NAMED_MAX = 20

interface Group {
  readonly tier: string
  readonly photo_ids: readonly string[]
  readonly score: number
}

interface GroupPage {
  readonly groups: readonly Group[]
  readonly coverage: CoverageJson
  readonly next_cursor: string | null
}

export function addDuplicates(commands: CommandSet): void {
  commands
    .client('duplicates', 'list groups of photos that are the same or look the same')
    .addOption(
      new Option('--tier <tier>', 'only one kind: the same bytes, the same picture, or one that resembles it').choices([
        'exact',
        'near',
        'similar'
      ])
    )
    .action(commands.action(duplicates))
}

async function duplicates(session: Session, { tier }: { readonly tier?: string }): Promise<ExitCode> {
  const { client, terminal } = session
  let cursor: string | undefined
  let shown = 0
  let coverage: CoverageJson | undefined
  do {
    const page = await client.json<GroupPage>('/duplicates', { query: { tier, cursor } })
    for (const group of page.groups) {
      if (session.json) await printJson(session, group)
      else await printGroup(session, group, shown === 0)
      shown++
    }
    coverage = page.coverage
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  if (terminal.interactive) terminal.note(shown === 0 ? 'no duplicates' : count(shown, 'group'))
  noteCoverage(session, coverage)
  return 0
}

async function printGroup(session: Session, { tier, photo_ids, score }: Group, isFirst: boolean): Promise<void> {
  const { terminal } = session
  if (!isFirst) await terminal.print('')
  await terminal.print(`${tier}, ${score.toFixed(3)}`)
  const line = async (id: string, index: number): Promise<string> =>
    index < NAMED_MAX ? `  ${id}  ${await nameOf(session, id)}` : `  ${id}`
  await inOrder(
    photo_ids.entries(),
    ASKED_AT_ONCE,
    ([index, id]) => line(id, index),
    text => terminal.print(text)
  )
}
