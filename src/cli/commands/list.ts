import type { CommandSet } from '../shell/command-set.js'
import { count, humanBytes, humanTime, printable } from '../shell/human.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { Table } from '../shell/table.js'
import { positiveInteger } from './options.js'
import { addFilterOptions, type PhotoFilter, type PhotoMetaJson, photoPages } from './photo-meta.js'

interface ListOptions extends PhotoFilter {
  readonly limit?: number
}

/** Fixed widths, so that the pages of a long list line up. */
const TABLE = new Table([
  { title: 'ID', width: 36 },
  { title: 'CREATED', width: 16 },
  { title: 'SIZE', width: 8, align: 'right' },
  { title: 'TYPE', width: 15 },
  { title: 'NAME' }
])

export function addList(commands: CommandSet): void {
  const command = commands.client('ls', 'list photos, newest first')
  addFilterOptions(command)
    .option('--limit <n>', 'stop after so many (default: all)', positiveInteger)
    .action(commands.action(list))
}

async function list(session: Session, options: ListOptions): Promise<ExitCode> {
  const { terminal, json } = session
  let shown = 0
  for await (const { photos, total, isTotalExact } of photoPages(session, options, options.limit)) {
    if (shown === 0 && photos.length > 0 && !json) await terminal.print(TABLE.header())
    for (const photo of photos) await (json ? printJson(session, photo) : terminal.print(row(photo)))
    shown += photos.length
    if (terminal.interactive && shown >= Math.min(total, options.limit ?? total)) {
      const all = isTotalExact ? count(total, 'photo') : `at least ${count(total, 'photo')}`
      terminal.note(shown < total ? `${shown} of ${all}` : all)
    }
  }
  return 0
}

function row(photo: PhotoMetaJson): string {
  const { photo_id, created_at, size, content_type, name } = photo
  const cells = [photo_id, humanTime(created_at), humanBytes(size), printable(content_type), printable(name)]
  return TABLE.lines([cells], false)[0] as string
}
