import { MARKS } from '../../domain/photo.js'
import type { CommandSet } from '../shell/command-set.js'
import { fieldLines } from '../shell/field-lines.js'
import { humanBytes, humanTime } from '../shell/human.js'
import { photoPath } from '../shell/photo-path.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import type { PhotoMetaJson } from './photo-meta.js'

export function addInfo(commands: CommandSet): void {
  commands.client('info <id>', 'show what is known about a photo').action(commands.action(info))
}

async function info(session: Session, id: string): Promise<ExitCode> {
  const meta = await session.client.json<PhotoMetaJson>(photoPath(id, '/meta'))
  if (session.json) await printJson(session, meta)
  else for (const line of fieldLines(fields(meta))) await session.terminal.print(line)
  return 0
}

function fields(meta: PhotoMetaJson): [string, string | undefined][] {
  const { width, height, camera, place, state, image_error, caption, rating, copies, version } = meta
  return [
    ['id', meta.photo_id],
    ['name', meta.name],
    ['type', meta.content_type],
    ['size', `${humanBytes(meta.size)} (${meta.size} bytes)`],
    ['pixels', width == null || height == null ? undefined : `${width} × ${height}`],
    ['taken', takenText(meta)],
    ['camera', [camera?.make, camera?.model, camera?.lens].filter(Boolean).join(' ') || undefined],
    ['place', place == null ? undefined : placeText(place)],
    ['picture', state == null || state === 'whole' ? undefined : [state, image_error].filter(Boolean).join(': ')],
    ['created', humanTime(meta.created_at)],
    ['caption', caption ?? undefined],
    ['rating', rating == null ? undefined : `${rating} of 5`],
    ['marks', MARKS.filter(mark => meta[mark] === true).join(', ') || undefined],
    ['tags', meta.tags.join(', ') || undefined],
    ['albums', meta.albums.join(', ') || undefined],
    ['sha256', meta.sha256],
    ['copies', copies?.toString()],
    ['version', version === undefined ? undefined : `${version.hlc} by ${version.actor}`]
  ]
}

function placeText({ lat, lon, name, region, country }: NonNullable<PhotoMetaJson['place']>): string {
  const names = [name, region, country].filter(Boolean).join(', ')
  return names === '' ? `${lat}, ${lon}` : `${lat}, ${lon} (${names})`
}

function takenText({ taken_at, taken_at_source }: PhotoMetaJson): string | undefined {
  if (taken_at == null) return undefined
  const [, day, time, offset] = /^(.+)T([\d:]+)(?:\.\d+)?(.*)$/.exec(taken_at) ?? []
  const local = day === undefined ? taken_at : `${day} ${time} ${offset === '' ? '(zone unknown)' : offset}`
  return taken_at_source == null ? local : `${local}, by ${taken_at_source}`
}
