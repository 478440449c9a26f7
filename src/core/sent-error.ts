import { type ErrorCode, SheafError } from './errors.js'

/** An error as plain data, to be sent to another thread: structured cloning would lose its class. */
export interface SentError {
  readonly code: ErrorCode | undefined
  readonly message: string
}

export function sentError(err: unknown): SentError {
  const code = err instanceof SheafError ? err.code : undefined
  return { code, message: err instanceof Error ? err.message : String(err) }
}

export function receivedError({ code, message }: SentError): Error {
  return code === undefined ? new Error(message) : new SheafError(code, message)
}
