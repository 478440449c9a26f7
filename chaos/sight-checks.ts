/*
 * Whether people see what is open to them, and nothing else.
 */
import { dueSight } from '../test/checkers/people-rules.js'
import { type Line, type LineOf, linesOf } from './history.js'
import { askedOf, type SharingHistory } from './sharing-history.js'
import type { Operation } from './timeline.js'

/** How many of a kind are named. */
const NAMED_MAX = 3

/** Nobody is shown what he was never given, or what that node itself has taken away from him. */
export function checkReads(operations: readonly Operation[], history: SharingHistory): string[] {
  return operations.flatMap(operation => {
    const { op, node, call, end } = operation
    const { as } = call
    if (as === undefined || end?.outcome !== 'ok') return []
    const asked = askedOf(operation)
    const hidden = [
      ...photosShown(operation).filter(photo => history.knewHidden(asked, photo, as)),
      ...albumsShown(operation).filter(album => history.knewClosed(asked, album, as))
    ]
    return hidden.map(what => `${call.kind} #${op} at ${node} showed ${what} to ${as}, to whom it was not open`)
  })
}

function photosShown({ call, end }: Operation): readonly string[] {
  if (call.kind === 'look' || call.kind === 'fetch') return [call.photo]
  return call.kind === 'list' || call.kind === 'search' ? (end?.told?.photos ?? []) : []
}

function albumsShown({ call, end }: Operation): readonly string[] {
  const isAnswered = call.kind === 'shares' || call.kind === 'fill' || call.kind === 'takeOut'
  return isAnswered ? [call.album] : (end?.told?.albums ?? [])
}

/** In the end everybody sees at every node exactly what is open to him there, in whatever way he asks. */
export function checkSights(lines: readonly Line[], history: SharingHistory): string[] {
  const accounts = linesOf(lines, 'account')
  const [shared, filled] = [linesOf(lines, 'shared'), linesOf(lines, 'filled')]
  const photos = new Set(linesOf(lines, 'sight').flatMap(({ answers }) => Object.keys(answers)))
  const owners = new Map([...photos].map(photo => [photo, history.ownerOf(photo) ?? 'nobody']))
  return linesOf(lines, 'sight').flatMap(sight => {
    const { node, as } = sight
    const account = accounts.find(one => one.node === node && one.name === as)
    if (account === undefined) return [`${as} has no account at ${node}`]
    if (account.state === 'disabled') return seenThoughDisabled(sight)
    const albums = shared
      .filter(one => one.node === node)
      .map(one => {
        const { photos = [] } = filled.find(other => other.node === node && other.album === one.album) ?? {}
        return { ...one, photos }
      })
    return wrongSight(sight, dueSight({ owners, albums }, as), new Map(albums.map(one => [one.album, one.photos])))
  })
}

function seenThoughDisabled({ node, as, status, answers }: LineOf<'sight'>): string[] {
  const statuses = [status, ...Object.values(answers).flatMap(({ meta, bytes }) => [meta, bytes])]
  return statuses
    .filter(one => one !== 401)
    .slice(0, 1)
    .map(one => `${as}, whose account is disabled, gets ${one} at ${node}`)
}

function wrongSight(
  { node, as, status, photos, total, albums, photosIn, answers }: LineOf<'sight'>,
  due: ReturnType<typeof dueSight>,
  contents: ReadonlyMap<string, readonly string[]>
): string[] {
  const who = `${as} at ${node}`
  if (status !== 200) return [`${who} gets ${status} for a list`]
  const wrongTotal = total === photos.length ? [] : [`${who} is told of ${total} photos, and listed ${photos.length}`]
  const asked = Object.entries(answers)
  return [
    ...differences(`${who}: photos that are listed`, photos, due.photos),
    ...wrongTotal,
    ...differences(`${who}: albums that are listed`, albums, due.albums),
    ...Object.entries(photosIn).flatMap(([album, shown]) => {
      const open = due.albums.has(album) ? (contents.get(album) ?? []) : []
      return differences(`${who}: photos of ${album}`, shown, new Set(open))
    }),
    ...differences(`${who}: metadata`, answeredWell(asked, 'meta'), due.photos),
    ...differences(`${who}: bytes`, answeredWell(asked, 'bytes'), due.photos),
    ...few(
      `${who} gets neither 200 nor 404`,
      asked.flatMap(([photo, { meta, bytes }]) =>
        [meta, bytes].every(one => one === 200 || one === 404) ? [] : [`${meta} and ${bytes} for ${photo}`]
      )
    )
  ]
}

function answeredWell(
  answers: readonly (readonly [photo: string, LineOf<'sight'>['answers'][string]])[],
  part: 'meta' | 'bytes'
): readonly string[] {
  return answers.filter(([, answer]) => answer[part] === 200).map(([photo]) => photo)
}

function differences(what: string, shown: readonly string[], due: ReadonlySet<string>): string[] {
  const seen = new Set(shown)
  return [
    ...few(
      `${what} that are not open`,
      shown.filter(one => !due.has(one))
    ),
    ...few(
      `${what} that are open and missing`,
      [...due].filter(one => !seen.has(one))
    )
  ]
}

function few(what: string, found: readonly string[]): string[] {
  if (found.length === 0) return []
  const rest = found.length > NAMED_MAX ? `, and ${found.length - NAMED_MAX} more` : ''
  return [`${what}: ${found.slice(0, NAMED_MAX).join(', ')}${rest}`]
}
