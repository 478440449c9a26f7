import type { FastifyError } from 'fastify'
import { type ErrorCode, SheafError } from '../../core/errors.js'

/** What a status of Fastify's own means here; others are 400. */
const STATUS_CODES: Readonly<Record<number, ErrorCode>> = {
  404: 'ERR_NOT_FOUND',
  413: 'ERR_TOO_LARGE',
  415: 'ERR_UNSUPPORTED_MEDIA',
  431: 'ERR_HEADERS_TOO_LARGE'
}

/** What it means that a text does not match a pattern of a schema. */
export interface PatternFault {
  readonly code: ErrorCode
  /** Follows the name of what does not match. Default: that of the code, alone. */
  readonly detail?: string
}

/** Translates Fastify's own errors to SheafErrors; returns all others unchanged. @param patterns - faults by pattern */
export function fromFastify(error: unknown, patterns: Readonly<Record<string, PatternFault>> = {}): unknown {
  if (error instanceof SheafError || !(error instanceof Error)) return error
  const { validation, validationContext, code } = error as Partial<FastifyError>
  if (validation !== undefined) {
    const [fault] = validation
    if (fault?.instancePath === '/alt_key') return new SheafError('ERR_BAD_ALT_KEY', undefined, { cause: error })
    const pattern = patterns[String(fault?.params.pattern)]
    if (pattern !== undefined) {
      const { code: meant, detail } = pattern
      const named = detail && `${validationContext}${fault?.instancePath} ${detail}`
      return new SheafError(meant, named, { cause: error })
    }
    const extra = fault?.params.additionalProperty
    const detail =
      extra === undefined
        ? error.message
        : `${validationContext} must not have the unknown property ${JSON.stringify(extra)}`
    return new SheafError('ERR_BAD_PARAMETER', detail, { cause: error })
  }
  switch (code) {
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new SheafError('ERR_BAD_ID', 'the path has a malformed percent escape', { cause: error })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new SheafError('ERR_UNSUPPORTED_MEDIA', 'Content-Type is malformed', { cause: error })
    default:
      return ofItsStatus(error) ?? error
  }
}

/** An error that Fastify puts on the client is never a defect, also one that a later version of it has. */
function ofItsStatus(error: Partial<FastifyError>): SheafError | undefined {
  const { code = '', statusCode = 500, message } = error
  if (!code.startsWith('FST_') || statusCode < 400 || statusCode >= 500) return undefined
  return new SheafError(STATUS_CODES[statusCode] ?? 'ERR_BAD_REQUEST', message, { cause: error })
}
