/**
 * Every error that Sheaf reports by name. The meaning stands beside the code; the HTTP status stands in
 * `http/wire/error-map.ts`; a test proves codes = map, and `npm run docs:check` that `docs/reference/errors.md` shows both.
 */
export const ERROR_CODES = {
  // what a client sent
  ERR_BAD_REQUEST: 'the request is malformed',
  ERR_BAD_ID: 'the id is not a UUID',
  ERR_BAD_PARAMETER: 'a query parameter, header or body field is missing, unknown or out of range',
  ERR_BAD_CURSOR: 'the cursor was not made by this API',
  ERR_BAD_ALT_KEY: 'the alternate key is not one of orig, large, small, thumb',
  ERR_NOT_MULTIPART: 'the body is not multipart/form-data',
  ERR_NO_FILE: 'the form has no file',
  ERR_EMPTY_FILE: 'the file has no bytes',
  ERR_TRUNCATED_BODY: 'the body ended before its declared length or closing boundary',
  ERR_LENGTH_REQUIRED: 'a raw upload needs a Content-Length or chunked encoding',
  ERR_TOO_LARGE: 'the file or body is larger than allowed',
  ERR_ATTRIBUTES_TOO_LARGE: 'the attributes take more than 4 KB',
  ERR_HEADERS_TOO_LARGE: 'the request line and headers take more than 16 KiB',
  ERR_UNSUPPORTED_MEDIA: 'the body has a content type that this path does not take',
  ERR_METHOD_NOT_ALLOWED: 'the path exists, but not with this method',
  ERR_NOT_FOUND: 'nothing is there',
  ERR_FOREIGN_ORIGIN: 'a browser on another site may not drive this node',
  ERR_RANGE_NOT_SATISFIABLE: 'the byte range is malformed or outside the file',
  ERR_PRECONDITION_FAILED: 'If-Match does not name the present version',
  ERR_ALT_KEY_EXISTS: 'that size is there already with other bytes',
  ERR_IDEMPOTENCY_MISMATCH: 'the Idempotency-Key was used with another body',
  ERR_REQUEST_TIMEOUT: 'the client was too slow',
  ERR_NO_SUCH_JOB: 'no such job is known to this process',
  ERR_NO_SUCH_CONFLICT: 'the photo has no conflict version of that number',
  ERR_NO_SUCH_VOLUME: 'no such volume is on this node',
  // photos
  ERR_PHOTO_NOT_FOUND: 'no photo has that id, or the cookie is wrong',
  ERR_PHOTO_DELETED: 'the photo was deleted',
  ERR_BYTES_GONE: 'the bytes of the deleted photo are no longer in reach',
  ERR_BYTES_UNREACHABLE: 'the photo is known, but no intact copy of its bytes is in reach now',
  ERR_NOT_READY: 'that size has not been made yet',
  ERR_TOO_FEW_COPIES: 'fewer durable copies than asked for were made in time; the photo is kept',
  ERR_OVERLOADED: 'too many uploads are in flight; try again',
  ERR_STOPPING: 'the node is shutting down',
  // disk
  ERR_DISK_FULL: 'no space for uploads; reads, deletes and compaction go on',
  ERR_DISK_READ: 'the disk failed to read',
  ERR_DISK_WRITE: 'the disk failed to write or sync',
  ERR_NEEDLE_CORRUPT: 'stored bytes do not match their checksum',
  ERR_VOLUME_CORRUPT: 'a volume file has no valid superblock',
  ERR_DIRECTORY_UNAVAILABLE: 'the directory cannot be read or written at the moment',
  ERR_FORMAT_TOO_NEW: 'the data was written by a newer version of Sheaf',
  ERR_RECORD_MALFORMED: 'a directory record cannot be decoded',
  // similarity
  ERR_IMAGE_UNREADABLE: 'the bytes are no image that can be decoded',
  ERR_IMAGE_TOO_LARGE: 'the image has too many bytes, pixels or frames, or takes too long to decode',
  ERR_IMAGE_CRASHED: 'the image made the decoder crash, twice',
  ERR_ANALYST_UNAVAILABLE: 'the process that looks at images does not start, or does not stay',
  ERR_NOT_AN_IMAGE: 'the photo is not an image, so nothing can look like it',
  ERR_NOT_INDEXED: 'no model has seen the photo yet; try again',
  ERR_INDEX_UNAVAILABLE: 'an index of vectors cannot answer at the moment; it is opened again',
  ERR_MODEL_UNAVAILABLE: 'there is no model to compare images with; `sheaf models pull` gets one',
  ERR_MODEL_DOWNLOAD: 'the model cannot be downloaded',
  ERR_MODEL_INVALID: 'the model is damaged, or not one that can be used here',
  ERR_MODEL_MISMATCH: 'the other node uses another model; vectors of different models cannot be compared',
  ERR_TEXT_SEARCH_UNAVAILABLE: 'the model in use knows no words; `sheaf models list` shows those that do',
  // starting
  ERR_CONFIG: 'the configuration is wrong',
  ERR_USAGE: 'the command line is wrong',
  ERR_DATA_LOCKED: 'another process uses the data folder',
  ERR_IDENTITY_CORRUPT: "the node's key file is damaged",
  ERR_ADDRESS_IN_USE: 'the address is in use',
  // other nodes
  ERR_PEER_UNREACHABLE: 'the other node does not answer',
  ERR_PEER_REFUSED: 'the other node is of another cluster, or holds another key',
  ERR_PEER_PROTOCOL: 'the other node sent what the protocol does not allow',
  ERR_PEER_BEHIND: 'a node missed what the others have forgotten; it offers nothing before it has caught up',
  ERR_MEMBER_REMOVED: 'the node is no longer a member of the cluster',
  ERR_NO_SUCH_MEMBER: 'no node of this id was ever a member',
  ERR_LEAVING: 'the node is leaving the cluster and takes no more writes; use another one',
  // client commands
  ERR_NODE_UNREACHABLE: 'the node does not answer',
  ERR_INTERNAL: 'a defect in Sheaf; the log has the details'
} as const

export type ErrorCode = keyof typeof ERROR_CODES

export interface SheafErrorInit {
  readonly cause?: unknown
  /** Plain data for logs and for extra members of an HTTP problem. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** The one class of operating errors: `code` says what kind, `message` what happened and the way out. */
export class SheafError extends Error {
  override readonly name = 'SheafError'
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string = ERROR_CODES[code], init: SheafErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.code = code
    this.details = init.details ?? {}
  }
}

export function hasCode(error: unknown, code: ErrorCode): error is SheafError {
  return error instanceof SheafError && error.code === code
}

/** @returns Node's `code` of a system error (`ENOENT`, `EIO`, …), or undefined */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
