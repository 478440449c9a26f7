import { hasCode, SheafError } from '../../core/errors.js'
import { parsePhotoId } from '../../domain/ids.js'
import type { CommandSet } from '../shell/command-set.js'
import { findFiles, readPieces } from '../shell/local-files.js'
import type { UploadBody } from '../shell/node-client.js'
import { type ExitCode, noteFailure, printJson, type Session } from '../shell/session.js'
import { positiveInteger } from './options.js'
import { type CoverageJson, noteCoverage, printScored, type ScoredPhotoJson } from './scored-photos.js'

interface SimilarOptions {
  readonly k: number
  readonly tag?: string
}

interface SimilarAnswer {
  readonly results: readonly { readonly photo_id: string; readonly distance: number }[]
  readonly coverage: CoverageJson
}

interface FoundAnswer {
  readonly similar_photo_ids: readonly string[]
  readonly distances: readonly number[]
  readonly coverage: CoverageJson
}

export function addSimilar(commands: CommandSet): void {
  commands
    .client(
      'similar <photo>',
      'find photos that look like a photo, given by its id, or like an image file; copies of it are left out'
    )
    .option('-k <n>', 'how many', positiveInteger, 5)
    .option('--tag <tag>', 'only photos with this tag')
    .action(commands.action(similar))
}

async function similar(session: Session, subject: string, { k, tag }: SimilarOptions): Promise<ExitCode> {
  const id = parsePhotoId(subject)
  if (id !== undefined) {
    const answer = await session.client.json<SimilarAnswer>(`/similar/${id}`, { query: { k, tag } })
    return show(
      session,
      answer,
      answer.results.map(({ photo_id, distance }) => ({ photo_id, score: distance })),
      answer.coverage
    )
  }
  let answer: FoundAnswer
  try {
    const form = await pictureForm(session, subject)
    answer = await session.client.json<FoundAnswer>('/find_similar', { method: 'POST', query: { k, tag }, ...form })
  } catch (err) {
    session.signal.throwIfAborted()
    if (hasCode(err, 'ERR_IMAGE_UNREADABLE'))
      throw new SheafError(err.code, `${subject} is not an image that can be decoded`, { cause: err })
    if (err instanceof SheafError) throw err
    noteFailure(session, subject, err)
    return 1
  }
  const found = answer.similar_photo_ids.map((photo_id, i) => ({ photo_id, score: answer.distances[i] ?? 0 }))
  return show(session, answer, found, answer.coverage)
}

async function show(
  session: Session,
  answer: unknown,
  found: readonly ScoredPhotoJson[],
  coverage: CoverageJson
): Promise<ExitCode> {
  if (session.json) await printJson(session, answer)
  else await printScored(session, found)
  noteCoverage(session, coverage)
  return 0
}

/** A multipart form with the file alone. @throws system errors when it cannot be read */
async function pictureForm(
  session: Session,
  path: string
): Promise<{ readonly headers: Readonly<Record<string, string>>; readonly body: UploadBody }> {
  const [found] = await findFiles([path], () => {})
  if (found === undefined) throw Object.assign(new Error('not a file'), { code: 'EISDIR' })
  if ('error' in found) throw found.error
  const boundary = `sheaf-${Buffer.from(session.random.bytes(16)).toString('hex')}`
  const disposition = 'Content-Disposition: form-data; name="file"; filename="picture"'
  const head = Buffer.from(`--${boundary}\r\n${disposition}\r\nContent-Type: application/octet-stream\r\n\r\n`)
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  const open = async function* (): AsyncGenerator<Uint8Array> {
    yield head
    yield* readPieces(found)
    yield tail
  }
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: { byteCount: head.length + found.byteCount + tail.length, open }
  }
}
