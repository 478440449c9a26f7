import type { ErrorCode } from '../../core/errors.js'

export interface ErrorMapping {
  readonly status: number
  /** Sent as Retry-After, seconds. */
  readonly retryAfterS?: number
  /** Details of the error that the client may see, with default values. */
  readonly members?: Readonly<Record<string, string | number | boolean | null>>
}

/**
 * The only place that maps codes to HTTP statuses. Codes that no request can cause (start-up, client commands) are 500, so
 * that the map is complete.
 */
export const ERROR_MAP: Readonly<Record<ErrorCode, ErrorMapping>> = {
  ERR_BAD_REQUEST: { status: 400 },
  ERR_BAD_ID: { status: 400 },
  ERR_BAD_PARAMETER: { status: 400 },
  ERR_BAD_CURSOR: { status: 400 },
  ERR_BAD_ALT_KEY: { status: 400 },
  ERR_NOT_MULTIPART: { status: 415 },
  ERR_NO_FILE: { status: 400 },
  ERR_EMPTY_FILE: { status: 400 },
  ERR_TRUNCATED_BODY: { status: 400 },
  ERR_LENGTH_REQUIRED: { status: 411 },
  ERR_TOO_LARGE: { status: 413 },
  ERR_ATTRIBUTES_TOO_LARGE: { status: 413 },
  ERR_HEADERS_TOO_LARGE: { status: 431 },
  ERR_UNSUPPORTED_MEDIA: { status: 415 },
  ERR_METHOD_NOT_ALLOWED: { status: 405 },
  ERR_NOT_FOUND: { status: 404 },
  ERR_NOT_OPERATOR: { status: 401 },
  ERR_FOREIGN_ORIGIN: { status: 403 },
  ERR_METRICS_TOKEN: { status: 401 },
  ERR_RANGE_NOT_SATISFIABLE: { status: 416 },
  ERR_PRECONDITION_FAILED: { status: 412 },
  ERR_ALT_KEY_EXISTS: { status: 409 },
  ERR_IDEMPOTENCY_MISMATCH: { status: 422 },
  ERR_REQUEST_TIMEOUT: { status: 408 },
  ERR_NO_SUCH_JOB: { status: 404 },
  ERR_NO_SUCH_CONFLICT: { status: 404 },
  ERR_NO_SUCH_VOLUME: { status: 404 },
  // `complete`: every member was asked; a lone node is every member
  ERR_PHOTO_NOT_FOUND: { status: 404, members: { complete: true } },
  ERR_PHOTO_DELETED: { status: 410 },
  ERR_NOT_BURIED: { status: 409 },
  ERR_BYTES_GONE: { status: 410 },
  ERR_BYTES_UNREACHABLE: { status: 503, retryAfterS: 10 },
  ERR_NOT_READY: { status: 503, retryAfterS: 2 },
  ERR_TOO_FEW_COPIES: { status: 503, retryAfterS: 10, members: { photo_id: null, copies: 1 } },
  ERR_OVERLOADED: { status: 503, retryAfterS: 1 },
  ERR_STOPPING: { status: 503, retryAfterS: 5 },
  ERR_DISK_FULL: { status: 507 },
  ERR_DISK_READ: { status: 503, retryAfterS: 10 },
  ERR_DISK_WRITE: { status: 503, retryAfterS: 10 },
  ERR_NEEDLE_CORRUPT: { status: 500 },
  ERR_VOLUME_CORRUPT: { status: 500 },
  ERR_DIRECTORY_UNAVAILABLE: { status: 503, retryAfterS: 5 },
  ERR_FORMAT_TOO_NEW: { status: 503, retryAfterS: 3600 },
  ERR_RECORD_MALFORMED: { status: 500 },
  ERR_IMAGE_UNREADABLE: { status: 422 },
  ERR_IMAGE_TOO_LARGE: { status: 413 },
  ERR_IMAGE_CRASHED: { status: 422 },
  ERR_ANALYST_UNAVAILABLE: { status: 503, retryAfterS: 60 },
  ERR_NOT_AN_IMAGE: { status: 415 },
  ERR_NOT_INDEXED: { status: 503, retryAfterS: 5 },
  ERR_INDEX_UNAVAILABLE: { status: 503, retryAfterS: 5 },
  ERR_INDEX_FULL: { status: 503, retryAfterS: 3600 },
  ERR_MODEL_UNAVAILABLE: { status: 503, retryAfterS: 60 },
  ERR_MODEL_DOWNLOAD: { status: 500 },
  ERR_MODEL_INVALID: { status: 500 },
  ERR_MODEL_MISMATCH: { status: 503, retryAfterS: 60 },
  ERR_TEXT_SEARCH_UNAVAILABLE: { status: 503, retryAfterS: 3600 },
  ERR_NO_ARCHIVE: { status: 404 },
  ERR_ARCHIVE_UNREACHABLE: { status: 503, retryAfterS: 60 },
  ERR_ARCHIVE_REFUSED: { status: 500 },
  ERR_ARCHIVE_FULL: { status: 500 },
  ERR_ARCHIVE_CLOCK: { status: 500 },
  ERR_ARCHIVE_DAMAGED: { status: 500 },
  ERR_ARCHIVE_KEY: { status: 500 },
  ERR_CONFIG: { status: 500 },
  ERR_USAGE: { status: 500 },
  ERR_DATA_LOCKED: { status: 500 },
  ERR_IDENTITY_CORRUPT: { status: 500 },
  ERR_ADDRESS_IN_USE: { status: 500 },
  ERR_PEER_UNREACHABLE: { status: 503, retryAfterS: 5 },
  ERR_PEER_REFUSED: { status: 503, retryAfterS: 10 },
  ERR_PEER_PROTOCOL: { status: 503, retryAfterS: 10 },
  ERR_MEMBER_REMOVED: { status: 503, retryAfterS: 10 },
  ERR_NO_SUCH_MEMBER: { status: 404 },
  ERR_LEAVING: { status: 503, retryAfterS: 5 },
  ERR_NODE_UNREACHABLE: { status: 500 },
  ERR_INTERNAL: { status: 500 }
}
