/**
 * Every error code of Sheaf with its default text. The HTTP status of each is in `http/wire/error-map.ts`; a test proves
 * that codes and statuses agree, and `npm run docs:check` that `docs/reference/errors.md` shows them.
 */
export const ERROR_CODES = {
  // bad requests
  ERR_BAD_REQUEST: 'the request is malformed',
  ERR_BAD_ID: 'the id is not a UUID',
  ERR_BAD_PARAMETER: 'a query parameter, header or body field is missing, unknown or out of range',
  ERR_BAD_CURSOR: 'the cursor was not made by this API',
  ERR_BAD_ALT_KEY: 'the alternate key is not one of orig, large, small, thumb',
  ERR_NOT_MULTIPART: 'the body is not multipart/form-data',
  ERR_NO_FILE: 'the form has no file',
  ERR_EMPTY_FILE: 'the file is empty',
  ERR_TRUNCATED_BODY: 'the body ended before its declared length or closing boundary',
  ERR_DIGEST_MISMATCH: 'the bytes that came do not have the digest that the request declares',
  ERR_LENGTH_REQUIRED: 'a raw upload needs a Content-Length or chunked encoding',
  ERR_TOO_LARGE: 'the file or body is larger than allowed',
  ERR_ATTRIBUTES_TOO_LARGE: 'the attributes take more than 4 KB',
  ERR_HEADERS_TOO_LARGE: 'the request line and headers take more than 16 KiB',
  ERR_UNSUPPORTED_MEDIA: 'this path does not accept the content type of the body',
  ERR_UNSUPPORTED_ENCODING: 'the body is encoded, and would be stored so; send the bytes as they are',
  ERR_EXPECTATION_FAILED: 'Expect may only be 100-continue',
  ERR_METHOD_NOT_ALLOWED: 'the path exists, but does not support this method',
  ERR_NOT_FOUND: 'there is nothing at this path',
  ERR_NOT_OPERATOR: "only the operator may do this: it needs the token in the node's data folder",
  ERR_FOREIGN_ORIGIN: 'a web page of another site must not use this node',
  ERR_METRICS_TOKEN: 'metrics need the token of --metrics-token-file: send Authorization: Bearer TOKEN',
  ERR_RANGE_NOT_SATISFIABLE: 'the byte range is malformed or outside the file',
  ERR_PRECONDITION_FAILED: 'a condition of the request, such as If-Match, does not hold; read the current state again',
  ERR_ALT_KEY_EXISTS: 'the photo already has that size with different bytes',
  ERR_IDEMPOTENCY_MISMATCH: 'the Idempotency-Key was already used with a different body; choose a new key',
  ERR_REQUEST_TIMEOUT: 'the client sent the request too slowly',
  ERR_NO_SUCH_JOB: 'this node has no such job; jobs are lost when it restarts',
  ERR_JOB_STOPPED: 'somebody has stopped the job',
  ERR_JOB_NOT_STOPPABLE: 'this job cannot be stopped: only those can that say `stoppable`',
  ERR_SELECTION_CHANGED:
    'the list does not have as many photos as the request says, so nothing was done: look at it again',
  ERR_NO_SUCH_CONFLICT: 'the photo has no conflict version with that number',
  ERR_NO_SUCH_VOLUME: 'this node has no such volume',
  // photos
  ERR_PHOTO_NOT_FOUND: 'no photo has that id, or the cookie is wrong',
  ERR_PHOTO_DELETED: 'the photo was deleted',
  ERR_PHOTO_NOT_DELETED: 'the photo is not in the trash',
  ERR_ALBUM_NOT_FOUND: 'no album has that id, or no photo that label',
  ERR_ALBUM_DELETED: 'the album was deleted',
  ERR_ALBUM_LOOP: 'an album cannot stand in itself, or in one that stands in it',
  ERR_TOO_MANY_ALBUMS: 'there are 10,000 albums, and no more can be made; delete some, or use tags',
  ERR_NOT_BURIED: 'the photo is not buried, so there is nothing to exhume',
  ERR_NO_DATE: 'nobody knows when the photo was taken, so its date cannot be shifted; set one with taken_at',
  ERR_BYTES_GONE: 'the bytes of the deleted photo are no longer available, so it cannot be restored',
  ERR_BYTES_UNREACHABLE: 'the photo is known, but no node in reach has an intact copy of its bytes; try again later',
  ERR_NOT_READY: 'that size has not been made yet; try again',
  ERR_TOO_FEW_COPIES: 'fewer durable copies than requested were made in time; the photo is stored',
  ERR_OVERLOADED: 'too many uploads or requests are in flight; try again',
  ERR_STOPPING: 'the node is shutting down; use another one',
  // accounts
  ERR_NO_ACCOUNTS:
    'there are no accounts yet, so nobody can log in; make the first one with `sheaf user add --admin NAME`',
  ERR_FORBIDDEN: 'the account, or the API key, may not do this',
  ERR_UNAUTHENTICATED: 'this needs an account: log in, or send an API key',
  ERR_SESSION_ENDED: 'the session has ended; log in again',
  ERR_ACCOUNT_DISABLED: 'the account is disabled or closed; an administrator can open it',
  ERR_BAD_CREDENTIALS: 'no account has that name and password',
  ERR_TOO_MANY_TRIES: 'too many failed tries; wait a while',
  ERR_NAME_TAKEN: 'another account has that name; choose another one',
  ERR_LAST_ADMIN: 'this is the last administrator; make another one first',
  ERR_CLUSTER_KEY_NEEDED:
    'without a cluster key any host could make itself an administrator; start every node with --cluster-key',
  ERR_SIGNUP_CLOSED: 'nobody makes an account for himself here; ask an administrator for one',
  ERR_INVITE_NOT_FOUND: 'there is no such invite, or it was used, was taken back or has ended; ask for another one',
  ERR_TOO_MANY_INVITES: 'there are 100 invites that nobody has used, and no more can be made; delete some',
  ERR_USER_NOT_FOUND: 'no account has that id',
  ERR_TOO_MANY_USERS: 'there are 10,000 accounts, and no more can be made',
  ERR_GROUP_NOT_FOUND: 'there is no group with that id, or you are not in it',
  ERR_TOO_MANY_GROUPS: 'there are 1,000 groups, and no more can be made; delete some',
  ERR_SESSION_NOT_FOUND: 'the account has no session with that id',
  ERR_API_KEY_NOT_FOUND: 'the account has no API key with that id',
  ERR_TOO_MANY_API_KEYS: 'the account has 100 API keys, and no more can be made; delete one',
  ERR_LINK_NOT_FOUND: 'there is no such link, or it has ended or was withdrawn; ask whoever has sent it',
  ERR_LINK_PASSWORD: 'the link needs a password',
  ERR_TOO_MANY_LINKS: 'the account has 500 links, and no more can be made; delete some',
  ERR_QUOTA_EXCEEDED:
    'the account has as much as it may have; delete photos and empty the trash, or ask an administrator for more',
  // disk
  ERR_DISK_FULL:
    'the disk is too full for uploads; free space or delete photos (reads, deletes and compaction still work)',
  ERR_DISK_READ: 'the disk failed a read',
  ERR_DISK_WRITE: 'the disk failed a write or sync',
  ERR_NEEDLE_CORRUPT: 'stored bytes do not match their checksum',
  ERR_VOLUME_CORRUPT: 'the volume file has no valid superblock',
  ERR_DIRECTORY_UNAVAILABLE: 'the directory cannot be read or written at the moment; try again',
  ERR_FORMAT_TOO_NEW: 'a newer version of Sheaf wrote this data; upgrade this node',
  ERR_RECORD_MALFORMED: 'a directory record cannot be decoded',
  // similarity
  ERR_IMAGE_UNREADABLE: 'the bytes cannot be decoded as an image',
  ERR_IMAGE_TOO_LARGE: 'the image has too many bytes, pixels or frames, or takes too long to decode',
  ERR_IMAGE_CRASHED: 'the image crashed the decoder twice',
  ERR_ANALYST_UNAVAILABLE: 'the process that analyzes images does not start, or keeps crashing; see the log',
  ERR_NOT_AN_IMAGE: 'the photo is not an image, so it cannot be compared with others',
  ERR_NOT_INDEXED: 'no model has analyzed the photo yet; try again',
  ERR_NO_SUCH_BUCKET: 'the time line has no such bucket, or no longer: read it again',
  ERR_INDEX_BUILDING: 'this list needs an index that is still being made; others are answered meanwhile; try again',
  ERR_INDEX_UNAVAILABLE: 'a vector index is being reopened; try again',
  ERR_INDEX_FULL: 'there is no memory for more vectors; raise --vector-bytes, or add nodes',
  ERR_MODEL_UNAVAILABLE: 'there is no model to compare images with; get one with `sheaf models pull`',
  ERR_MODEL_DOWNLOAD: 'the model cannot be downloaded',
  ERR_MODEL_INVALID: 'the model is damaged or cannot be used by this version of Sheaf',
  ERR_MODEL_MISMATCH: 'the other node uses a different model, and vectors of different models cannot be compared',
  ERR_TEXT_SEARCH_UNAVAILABLE: 'the current model cannot search by words; `sheaf models list` shows those that can',
  // archive and backup
  ERR_NO_ARCHIVE: 'this node has no archive; start it with --archive-bucket',
  ERR_ARCHIVE_UNREACHABLE: 'the object store does not answer; it is tried again',
  ERR_ARCHIVE_REFUSED: 'the object store refuses the request; check bucket, region and credentials',
  ERR_ARCHIVE_FULL: 'the object store takes no more; raise its quota or free space there',
  ERR_ARCHIVE_CLOCK:
    'the clocks of this node and of the object store differ by more than 15 minutes; set the clock of this machine',
  ERR_ARCHIVE_DAMAGED: 'an object of the archive is missing or damaged',
  ERR_ARCHIVE_KEY: 'the archive is encrypted with a key that this node does not have; see --archive-key',
  // starting
  ERR_CONFIG: 'the configuration is wrong',
  ERR_USAGE: 'the command line is wrong',
  ERR_DATA_LOCKED: 'another process is using the data folder',
  ERR_IDENTITY_CORRUPT: "the node's key file is damaged",
  ERR_ADDRESS_IN_USE: 'another process is listening on the address',
  // other nodes
  ERR_PEER_UNREACHABLE: 'the other node does not answer',
  ERR_PEER_REFUSED: 'the other node belongs to another cluster, has a different cluster key, or is of another version',
  ERR_PEER_PROTOCOL: 'the other node sent a message that violates the protocol',
  ERR_MEMBER_REMOVED: 'the node is no longer a member of the cluster',
  ERR_NO_SUCH_MEMBER: 'no node with this id was ever a member',
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

/** The only class of operating errors: `code` is the kind, `message` says what happened and the way out. */
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
