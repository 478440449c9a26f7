import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import { badField } from '../../../photos/photo-rules.js'
import type { FileStatements, UploadOptions, UploadReceipt } from '../../../photos/photo-types.js'
import {
  type FormField,
  fieldValues,
  readUploadForm,
  singleField,
  type UploadForm
} from '../../forms/multipart-form.js'
import { Preconditions } from '../../wire/preconditions.js'
import { announcesBody } from '../../wire/problem.js'
import type { RequestBody } from '../../wire/request-bodies.js'
import { receiptJson } from '../json-forms.js'
import { type RouteContext, requireAltKey, requirePhotoId } from '../route-context.js'
import { postPhotoSchema, putPhotoSchema, STATEMENT_NAMES, uploadSchema } from '../schemas/upload-schemas.js'
import { userOf } from '../who-asks.js'

/** Allowance for a form beyond its file: part headers, fields, boundaries. */
const FORM_OVERHEAD_BYTES = 2 * 1024 * 1024
const PHOTO_FIELDS = new Set(['tag', 'album', ...STATEMENT_NAMES])
const UPLOAD_FIELDS = new Set([...PHOTO_FIELDS, 'alt_key', 'photo_id'])

/** What the client knows of the file, in a query. */
interface StatementsQuery {
  readonly file_time?: number | undefined
  readonly zone?: string | undefined
  readonly source?: string | undefined
  readonly imported_from?: string | undefined
  readonly place?: string | undefined
  readonly taken_at?: string | undefined
  readonly caption?: string | undefined
  readonly rating?: number | undefined
  readonly favourite?: boolean | undefined
  readonly archived?: boolean | undefined
}

interface UploadQuery extends StatementsQuery {
  readonly min_copies?: number
  readonly tag?: readonly string[]
  readonly album?: readonly string[]
}

type CommonOptions = Pick<UploadOptions, 'minCopies' | 'idempotencyKey' | 'owner' | 'recheck'>

/** The three ways to upload. Register in a scope whose content-type parser does not read the body. */
export function addUploadRoutes(app: FastifyInstance, context: RouteContext): void {
  app.post<{ Querystring: UploadQuery & { alt_key?: string; photo_id?: string } }>(
    '/upload',
    { schema: uploadSchema },
    async request => receiptJson(await uploadOrAddSize(context, request))
  )

  app.post<{ Querystring: UploadQuery }>('/v1/photos', { schema: postPhotoSchema }, async (request, reply) => {
    const receipt = await withForm(context, request, PHOTO_FIELDS, (form, options) =>
      context.seenBy(request).photos.upload(form.file, options)
    )
    return created(reply, receipt)
  })

  app.put<{ Querystring: UploadQuery & { filename?: string } }>(
    '/v1/photos',
    { schema: putPhotoSchema },
    async (request, reply) => created(reply, await putRaw(context, request))
  )
}

function created(reply: FastifyReply, receipt: UploadReceipt): object {
  reply.code(201).header('location', `/photo/${receipt.photoId}`)
  return receiptJson(receipt)
}

async function uploadOrAddSize(
  context: RouteContext,
  request: FastifyRequest<{ Querystring: UploadQuery & { alt_key?: string; photo_id?: string } }>
): Promise<UploadReceipt> {
  // Errors in the query are reported before any of the body is read.
  const { query } = request
  requireAltKey(query.alt_key)
  if (query.photo_id !== undefined) requirePhotoId(query.photo_id)
  return await withForm(context, request, UPLOAD_FIELDS, async (form, options) => {
    const alt = requireAltKey(singleField(form.fields, 'alt_key') ?? query.alt_key)
    const photoId = singleField(form.fields, 'photo_id') ?? query.photo_id
    if (alt === 'orig') {
      if (photoId !== undefined) {
        throw new SheafError(
          'ERR_BAD_PARAMETER',
          'photo_id is only for adding a size; also set alt_key to large, small or thumb'
        )
      }
      return await context.seenBy(request).photos.upload(form.file, options)
    }
    if (photoId === undefined) throw new SheafError('ERR_BAD_PARAMETER', `alt_key ${alt} needs photo_id`)
    refuseStatements(options)
    return await context.seenBy(request).photos.addSize(requirePhotoId(photoId), alt, form.file, options)
  })
}

async function withForm(
  context: RouteContext,
  request: FastifyRequest<{ Querystring: UploadQuery }>,
  fieldNames: ReadonlySet<string>,
  use: (form: UploadForm, options: UploadOptions) => Promise<UploadReceipt>
): Promise<UploadReceipt> {
  const { headers, query } = request
  const common = commonOptions(request)
  return await withBody(context, request, context.init.maxUploadBytes + FORM_OVERHEAD_BYTES, async body => {
    const form = await readUploadForm(body, headers['content-type'], fieldNames)
    return await use(form, {
      ...common,
      filename: form.filename,
      contentType: form.contentType,
      tags: [...(query.tag ?? []), ...fieldValues(form.fields, 'tag')],
      albums: [...(query.album ?? []), ...fieldValues(form.fields, 'album')],
      ...statementsOf({ ...query, ...statementFields(form.fields) }),
      atMostBytes: declaredBytes(request)
    })
  })
}

async function putRaw(
  context: RouteContext,
  request: FastifyRequest<{ Querystring: UploadQuery & { filename?: string } }>
): Promise<UploadReceipt> {
  const { headers, query } = request
  const contentType = headers['content-type']
  if (contentType?.toLowerCase().startsWith('multipart/form-data')) {
    throw new SheafError('ERR_UNSUPPORTED_MEDIA', 'PUT takes the raw bytes; send a form with POST')
  }
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) {
    throw new SheafError('ERR_LENGTH_REQUIRED')
  }
  if (!announcesBody(request.raw)) throw new SheafError('ERR_EMPTY_FILE')
  const options = {
    ...commonOptions(request),
    filename: query.filename,
    // curl sends this type for any --data-binary, and nobody stores a web form.
    contentType: contentType === 'application/x-www-form-urlencoded' ? undefined : contentType,
    tags: query.tag,
    albums: query.album,
    ...statementsOf(query),
    declaredBytes: declaredBytes(request)
  }
  return await withBody(context, request, context.init.maxUploadBytes, body =>
    context.seenBy(request).photos.upload(body, options)
  )
}

/** Opens the request's body for `use`, then drops what is left unread. */
async function withBody(
  { bodies }: RouteContext,
  request: FastifyRequest,
  bytesMax: number,
  use: (body: RequestBody) => Promise<UploadReceipt>
): Promise<UploadReceipt> {
  // whatever is uploaded is a photo of its own, so there is nothing here yet
  new Preconditions(request.method, request.headers).check(undefined)
  const body = bodies.open(request.raw, bytesMax)
  try {
    return await use(body)
  } finally {
    await body.return()
  }
}

function commonOptions(request: FastifyRequest<{ Querystring: UploadQuery }>): CommonOptions {
  const { query, headers } = request
  return {
    minCopies: query.min_copies,
    idempotencyKey: headers['idempotency-key']?.toString(),
    owner: userOf(request),
    recheck: () => request.requireStill()
  }
}

function statementsOf(said: StatementsQuery): FileStatements {
  const { file_time: fileTimeMs, zone, source, imported_from: importedFrom, taken_at: takenAt, ...same } = said
  const { place, caption, rating, favourite, archived } = same
  return { fileTimeMs, zone, source, importedFrom, place, takenAt, caption, rating, favourite, archived }
}

/** Fields of forms that are no texts. */
const FIELD_FORMS: Readonly<Record<string, (name: string, text: string) => number | boolean>> = {
  file_time: numberField,
  rating: numberField,
  favourite: markField,
  archived: markField
}

/** @throws `ERR_BAD_PARAMETER` */
function numberField(name: string, text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw badField(name, `the field ${name} must be a whole number`)
  return Number(text)
}

/** @throws `ERR_BAD_PARAMETER` */
function markField(name: string, text: string): boolean {
  if (text !== 'true' && text !== 'false') throw badField(name, `the field ${name} must be true or false`)
  return text === 'true'
}

/** What the fields of a form say, which may be said there instead of in the query. */
function statementFields(fields: readonly FormField[]): StatementsQuery {
  const said: Record<string, string | number | boolean> = {}
  for (const name of STATEMENT_NAMES) {
    const text = singleField(fields, name)
    if (text === undefined) continue
    said[name] = FIELD_FORMS[name]?.(name, text) ?? text
  }
  return said
}

/** Of a size there is nothing to say but its bytes; what would not be kept is refused. */
function refuseStatements(options: UploadOptions): void {
  const { fileTimeMs, zone, source, importedFrom, place, takenAt, caption, rating, favourite, archived } = options
  const said = [fileTimeMs, zone, source, importedFrom, place, takenAt, caption, rating, favourite, archived]
  if (said.some(one => one !== undefined))
    throw new SheafError(
      'ERR_BAD_PARAMETER',
      `only of a new photo can ${STATEMENT_NAMES.join(', ')} be said; change the photo's own with PATCH`
    )
}

function declaredBytes(request: FastifyRequest): number | undefined {
  const length = request.headers['content-length']
  return length === undefined ? undefined : Number(length)
}
