import { createHash } from 'node:crypto'
import { SheafError } from '../../core/errors.js'
import { type LocalFile, readPieces } from './local-files.js'
import type { NodeRequest } from './node-client.js'
import type { Session } from './session.js'

export interface Receipt {
  readonly photo_id: string
  readonly sha256: string
}

export interface UploadFileOptions {
  /**
   * That the bytes must have, hex: of others the node stores nothing, and these it stores once, also when a process that was killed has
   * just sent them.
   */
  readonly sha256?: string
  /** All of the file, with this digest: then it is not read. */
  readonly bytes?: Uint8Array | undefined
  /** Told how many bytes more were sent; negative when a file is sent again from its start. */
  readonly onSent?: (byteCount: number) => void
}

/**
 * Sends a file as a new photo.
 *
 * @param query - of the upload
 * @throws `ERR_DIGEST_MISMATCH`, what the node answers, system errors
 */
export async function uploadFile(
  session: Pick<Session, 'client' | 'random'>,
  file: LocalFile,
  query: NonNullable<NodeRequest['query']>,
  options: UploadFileOptions = {}
): Promise<Receipt> {
  const { sha256, bytes, onSent = () => {} } = options
  let hash = createHash('sha256')
  let sent = 0
  const open = async function* (): AsyncGenerator<Uint8Array> {
    // After a lost connection the file is sent again from its start.
    onSent(-sent)
    sent = 0
    hash = createHash('sha256')
    for await (const piece of readPieces(file)) {
      // with a digest the node compares
      if (sha256 === undefined) hash.update(piece)
      yield piece
      sent += piece.length
      onSent(piece.length)
    }
  }
  const digest = sha256 && { 'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:` }
  const receipt = await session.client.json<Receipt>('/v1/photos', {
    method: 'PUT',
    query: { filename: file.name, ...query },
    headers: {
      // The same key in every attempt: a node that has stored the file, but whose answer was lost, answers again.
      'idempotency-key':
        sha256 === undefined ? Buffer.from(session.random.bytes(16)).toString('hex') : `import-${sha256}`,
      ...digest
    },
    body: bytes === undefined ? { byteCount: file.byteCount, open } : { bytes }
  })
  if (bytes !== undefined) onSent(bytes.length)
  // Checked here and not after the last piece: a quick node answers before the pieces are asked for more.
  if (receipt.sha256 !== (sha256 ?? hash.digest('hex'))) {
    throw new SheafError(
      'ERR_NEEDLE_CORRUPT',
      `the node stored other bytes than those sent, as ${receipt.photo_id}: delete it and try again`
    )
  }
  return receipt
}
