import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Principal } from '../../domain/principal.js'

const BEARER = /^Bearer +([\x21-\x7e]+) *$/i

/** Tells by its headers who sends a request. */
export class Principals {
  readonly #operator: Buffer

  /** @param operatorToken - see `core/operator-token.ts` */
  constructor(operatorToken: string) {
    this.#operator = digestOf(operatorToken)
  }

  /** The comparison takes the same time whatever was sent. */
  of({ authorization }: Pick<IncomingHttpHeaders, 'authorization'>): Principal {
    const token = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1]
    const isOperator = token !== undefined && timingSafeEqual(digestOf(token), this.#operator)
    return { kind: isOperator ? 'operator' : 'anonymous' }
  }
}

function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer')
}
