import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { SheafError } from '../../core/errors.js'
import { OPERATOR_TOKEN_FILE } from '../../core/operator-token.js'

const BEARER = /^Bearer +([\x21-\x7e]+) *$/i

/** Lets through what only the operator of the node may do: who can read the token that lies in its data folder. */
export class OperatorGuard {
  readonly #digest: Buffer

  /** @param token - see {@link OPERATOR_TOKEN_FILE} */
  constructor(token: string) {
    this.#digest = digestOf(token)
  }

  /** @throws `ERR_NOT_OPERATOR`; the comparison takes the same time whatever was sent */
  check({ authorization }: Pick<IncomingHttpHeaders, 'authorization'>): void {
    const token = BEARER.exec(authorization ?? '')?.[1]
    if (token !== undefined && timingSafeEqual(digestOf(token), this.#digest)) return
    const fault =
      authorization === undefined ? "this needs the operator's token" : "this is not the operator's token of this node"
    throw new SheafError(
      'ERR_NOT_OPERATOR',
      `${fault}: send \`Authorization: Bearer TOKEN\` with what ${OPERATOR_TOKEN_FILE} in its data folder holds, which each ` +
        'start writes anew; `sheaf` reads it from --data DIR or --token-file FILE'
    )
  }
}

function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer')
}
