import { createHash } from 'node:crypto'
import { SheafError } from '../core/errors.js'
import type { BodyOptions } from './photo-types.js'

/** Counts and hashes a body as it arrives, and checks its length against what was declared. */
export class BlobMeter {
  readonly #options: BodyOptions
  readonly #maxBytes: number
  readonly #sha256 = createHash('sha256')
  #size = 0

  /** @throws `ERR_EMPTY_FILE` or `ERR_TOO_LARGE` when the declared length says so already */
  constructor(options: BodyOptions, maxBytes: number) {
    this.#options = options
    this.#maxBytes = maxBytes
    const { declaredBytes } = options
    if (declaredBytes === 0) throw new SheafError('ERR_EMPTY_FILE')
    if (declaredBytes !== undefined && declaredBytes > maxBytes) throw this.#tooLarge()
  }

  /** @throws `ERR_TOO_LARGE`; `ERR_BAD_REQUEST` for more bytes than declared */
  add(piece: Uint8Array): void {
    this.#size += piece.length
    if (this.#size > this.#maxBytes) throw this.#tooLarge()
    const { declaredBytes = Infinity, atMostBytes = Infinity } = this.#options
    if (this.#size > Math.min(declaredBytes, atMostBytes)) {
      throw new SheafError(
        'ERR_BAD_REQUEST',
        'the body is longer than its declared length; send as many bytes as Content-Length says'
      )
    }
    this.#sha256.update(piece)
  }

  /**
   * Call once, after the last piece.
   *
   * @throws `ERR_EMPTY_FILE`, or `ERR_TRUNCATED_BODY` for fewer bytes than declared
   */
  end(): { readonly size: number; readonly sha256: string } {
    const { declaredBytes } = this.#options
    if (declaredBytes !== undefined && this.#size < declaredBytes) throw new SheafError('ERR_TRUNCATED_BODY')
    if (this.#size === 0) throw new SheafError('ERR_EMPTY_FILE')
    return { size: this.#size, sha256: this.#sha256.digest('hex') }
  }

  #tooLarge(): SheafError {
    return new SheafError('ERR_TOO_LARGE', `a file may have at most ${this.#maxBytes} bytes`)
  }
}
