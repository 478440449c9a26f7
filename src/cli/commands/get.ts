import { createHash } from 'node:crypto'
import { SheafError } from '../../core/errors.js'
import type { CommandSet } from '../shell/command-set.js'
import { writeFileWhole } from '../shell/local-files.js'
import { answerBytes } from '../shell/node-client.js'
import { photoPath } from '../shell/photo-path.js'
import type { ExitCode, Session } from '../shell/session.js'

interface GetOptions {
  readonly output?: string
  readonly size?: string
  readonly cookie?: string
}

export function addGet(commands: CommandSet): void {
  commands
    .client('get <id>', 'download a photo and verify its bytes')
    .option(
      '-o, --output <file>',
      'write to this file, which appears once it is complete and verified; - is stdout (default: stdout, unless it is a terminal)'
    )
    .option('--size <name>', 'orig, large, small or thumb (default: orig)')
    .option('--cookie <hex>', "the photo's cookie, where the node requires it")
    .action(commands.action(get))
}

async function get(session: Session, id: string, options: GetOptions): Promise<ExitCode> {
  const { output, size, cookie } = options
  if (output === undefined && session.terminal.stdoutIsTerminal) {
    throw new SheafError('ERR_USAGE', 'a photo cannot be shown on a terminal: use -o FILE, or -o - if you mean it')
  }
  const photo = await openPhoto(session, id, { alt_key: size, cookie })
  if (output === undefined || output === '-') {
    for await (const piece of photo.pieces) await session.terminal.write(piece)
    photo.check()
  } else {
    await writeFileWhole(session, output, photo.pieces, photo.check)
  }
  return 0
}

/** A photo's bytes as they arrive. */
export interface IncomingPhoto {
  readonly pieces: AsyncIterable<Uint8Array>
  /** Call it after the last piece. @throws unless the bytes are those that the answer announced */
  readonly check: () => void
}

/** @throws `ERR_PHOTO_NOT_FOUND`, `ERR_PHOTO_DELETED`, … */
export async function openPhoto(
  session: Session,
  id: string,
  query: Readonly<Record<string, string | undefined>> = {}
): Promise<IncomingPhoto> {
  const answer = await session.client.open(photoPath(id), { query })
  const wanted = /^"([0-9a-f]{64})"$/.exec(answer.headers.etag ?? '')?.[1]
  const byteCountWanted = answer.headers['content-length']
  const hash = createHash('sha256')
  let byteCount = 0
  const hashed = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of answerBytes(answer)) {
      hash.update(piece)
      byteCount += piece.length
      yield piece
    }
  }
  const check = (): void => {
    if (byteCountWanted !== undefined && Number(byteCountWanted) !== byteCount) {
      throw new SheafError('ERR_NODE_UNREACHABLE', `${byteCount} of ${byteCountWanted} bytes arrived; try again`)
    }
    if (wanted !== undefined && wanted !== hash.digest('hex')) {
      throw new SheafError('ERR_NEEDLE_CORRUPT', 'the bytes that arrived are not those of the photo; try again')
    }
  }
  return { pieces: hashed(), check }
}
