import { join } from 'node:path'
import type { FileSystem } from './file-system.js'
import type { Logger } from './log.js'
import type { Random } from './random.js'

/** In the data folder: 64 hexadecimal digits. Who can read it may do what only the operator of the node may. */
export const OPERATOR_TOKEN_FILE = 'operator.token'

const TOKEN_BYTES = 32

/** @returns a token for one run of a node */
export function newOperatorToken(random: Pick<Random, 'bytes'>): string {
  return Buffer.from(random.bytes(TOKEN_BYTES)).toString('hex')
}

/** @returns the token that a file holds, or undefined when it holds none */
export function parseOperatorToken(text: string): string | undefined {
  const token = text.trim()
  return /^[0-9a-f]{64}$/.test(token) ? token : undefined
}

/**
 * Writes a new token into the data folder. Where that fails, as on a full disk, the token of the start before stays good, so
 * that its operator can still make room.
 *
 * @returns the token that counts
 */
export async function writeOperatorToken(
  components: { readonly fileSystem: FileSystem; readonly random: Random; readonly log: Logger },
  folder: string
): Promise<string> {
  const { fileSystem, random, log } = components
  const path = join(folder, OPERATOR_TOKEN_FILE)
  const token = newOperatorToken(random)
  try {
    await fileSystem.writeFileAtomic(path, Buffer.from(`${token}\n`))
    return token
  } catch (err) {
    log.error({ err, path }, "could not write the operator's token; that of the start before counts, if there is one")
    const before = await fileSystem.readFile(path).catch(() => undefined)
    return parseOperatorToken(Buffer.from(before ?? []).toString()) ?? token
  }
}
