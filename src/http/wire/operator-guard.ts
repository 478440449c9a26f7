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

  /** The comparison takes the same time whatever was sent. */
  isOperator({ authorization }: Pick<IncomingHttpHeaders, 'authorization'>): boolean {
    const token = BEARER.exec(authorization ?? '')?.[1]
    return token !== undefined && timingSafeEqual(digestOf(token), this.#digest)
  }

  /** @throws `ERR_NOT_OPERATOR` */
  check({ authorization }: Pick<IncomingHttpHeaders, 'authorization'>): void {
    if (this.isOperator({ authorization })) return
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
