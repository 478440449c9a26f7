import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { Answer } from './http-client.js'

export function bodyOf(answer: Answer): Record<string, unknown> {
  return JSON.parse(answer.body.toString()) as Record<string, unknown>
}

/** @returns e.g. `404 ERR_NOT_FOUND`, of an answer that is a problem */
export function codeOf(answer: Answer): string {
  expect(answer.headers['content-type']).toBe('application/problem+json')
  return `${answer.status} ${bodyOf(answer).code}`
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
