import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SheafError, systemErrorCode } from '../../core/errors.js'
import { OPERATOR_TOKEN_FILE, parseOperatorToken } from '../../core/operator-token.js'
import type { NodeAddress } from './node-client.js'

const DATA_FOLDER = './data'

/** Where the user says that the token is. */
export interface TokenSource {
  /** `--data` */
  readonly data?: string
  /** `--token-file` */
  readonly tokenFile?: string
  /** `SHEAF_TOKEN_FILE` and `SHEAF_DATA` count where no flag is given. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/**
 * Reads the operator's token of a node. Unless a file or folder is named, it is that of a node on this machine, and is not
 * shown to any other.
 *
 * @throws `ERR_USAGE` when there is none
 */
export async function readOperatorToken(node: NodeAddress, source: TokenSource): Promise<string> {
  const { data, tokenFile, environment } = source
  const named = tokenFile ?? (data === undefined ? environment.SHEAF_TOKEN_FILE || undefined : tokenIn(data))
  if (named === undefined && !isOnThisMachine(node))
    throw new SheafError(
      'ERR_USAGE',
      `this needs the operator's token of ${node.url.host}: copy ${OPERATOR_TOKEN_FILE} from its data folder and give ` +
        '--token-file FILE, run the command where the node runs, or `sheaf login` as an administrator'
    )
  const path = named ?? tokenIn(environment.SHEAF_DATA || DATA_FOLDER)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const reason = systemErrorCode(cause) ?? String(cause)
    throw new SheafError(
      'ERR_USAGE',
      `this needs the operator's token, and ${path} cannot be read (${reason}): name the node's data folder with ` +
        '--data DIR, or its token with --token-file FILE',
      { cause }
    )
  }
  const token = parseOperatorToken(text)
  if (token === undefined)
    throw new SheafError(
      'ERR_USAGE',
      `${path} does not hold an operator's token, which is 64 hexadecimal digits: take ${OPERATOR_TOKEN_FILE} from the ` +
        "node's data folder"
    )
  return token
}

function tokenIn(folder: string): string {
  return join(folder, OPERATOR_TOKEN_FILE)
}

/** Whether a node can only be one of this machine. */
export function isOnThisMachine({ url: { hostname } }: NodeAddress): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}
