import { afterEach, beforeEach } from 'vitest'
import { InvariantError } from '../../src/core/invariant.js'

/** For the tests of a file that break invariants on purpose: what they catch does not end the process as well. */
export function surviveInvariants(): void {
  const { queueMicrotask } = globalThis
  beforeEach(() => {
    globalThis.queueMicrotask = task =>
      queueMicrotask(() => {
        try {
          task()
        } catch (err) {
          if (!(err instanceof InvariantError)) throw err
        }
      })
  })
  afterEach(() => {
    globalThis.queueMicrotask = queueMicrotask
  })
}
