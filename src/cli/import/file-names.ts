import { TextDecoder } from 'node:util'
import { SheafError } from '../../core/errors.js'

export type NameDecoder = (bytes: Buffer) => string

const strict = new TextDecoder('utf-8', { fatal: true })

/**
 * Names of files are bytes. Those that are not UTF-8 are read in the encoding that the user names, else as Latin-1, which always
 * can; composed, as most programs write them.
 *
 * @param encoding - as `TextDecoder` knows it: `shift_jis`, `koi8-r`, `gbk`
 * @throws `ERR_USAGE` for one that it does not know
 */
export function nameDecoder(encoding?: string): NameDecoder {
  const other = encoding === undefined ? undefined : decoderOf(encoding)
  return bytes => {
    const text = tryDecode(strict, bytes) ?? (other && tryDecode(other, bytes)) ?? bytes.toString('latin1')
    return text.normalize('NFC')
  }
}

function decoderOf(encoding: string): TextDecoder {
  try {
    return new TextDecoder(encoding, { fatal: true })
  } catch (cause) {
    const known = 'name one as WHATWG does, such as shift_jis, koi8-r or gbk'
    throw new SheafError('ERR_USAGE', `--names-encoding ${JSON.stringify(encoding)} is not known: ${known}`, { cause })
  }
}

function tryDecode(decoder: TextDecoder, bytes: Buffer): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined // not in this encoding
  }
}
