import { SheafError } from '../../core/errors.js'

const HERE = 'this node refused the other one: '
const BY_PEER = 'the other node refused this one: '

/** @returns `ERR_PEER_REFUSED` */
export function refusedHere(reason: string): SheafError {
  return new SheafError('ERR_PEER_REFUSED', HERE + reason)
}

/** @returns `ERR_PEER_REFUSED` */
export function refusedByPeer(reason: string): SheafError {
  return new SheafError('ERR_PEER_REFUSED', BY_PEER + reason)
}

/**
 * libp2p keeps only the text of an error, so that is what a refusal is recognized by.
 *
 * @returns the text of {@link refusedHere} or {@link refusedByPeer} that the error, or one of an aggregate, began as;
 *   undefined for any other error
 */
export function refusalIn(err: unknown): string | undefined {
  if (err instanceof AggregateError) return err.errors.map(refusalIn).find(text => text !== undefined)
  if (!(err instanceof Error)) return undefined
  return [HERE, BY_PEER].some(prefix => err.message.startsWith(prefix)) ? err.message : undefined
}
