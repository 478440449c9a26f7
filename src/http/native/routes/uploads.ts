import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import type { UploadOptions, UploadReceipt } from '../../../photos/photo-types.js'
import { fieldValues, readUploadForm, singleField, type UploadForm } from '../../forms/multipart-form.js'
import { Preconditions } from '../../wire/preconditions.js'
import { announcesBody } from '../../wire/problem.js'
import type { RequestBody } from '../../wire/request-bodies.js'
import { receiptJson } from '../json-forms.js'
import { type RouteContext, requireAltKey, requirePhotoId } from '../route-context.js'
import { postPhotoSchema, putPhotoSchema, uploadSchema } from '../schemas/upload-schemas.js'

/** Allowance for a form beyond its file: part headers, fields, boundaries. */
const FORM_OVERHEAD_BYTES = 2 * 1024 * 1024
const LABEL_FIELDS = new Set(['tag', 'album'])
const UPLOAD_FIELDS = new Set([...LABEL_FIELDS, 'alt_key', 'photo_id'])

interface UploadQuery {
  readonly min_copies?: number
  readonly tag?: readonly string[]
  readonly album?: readonly string[]
}

type CommonOptions = Pick<UploadOptions, 'minCopies' | 'idempotencyKey'>

/** The three ways to upload. Register in a scope whose content-type parser does not read the body. */
export function addUploadRoutes(app: FastifyInstance, context: RouteContext): void {
  app.post<{ Querystring: UploadQuery & { alt_key?: string; photo_id?: string } }>(
    '/upload',
    { schema: uploadSchema },
    async request => receiptJson(await uploadOrAddSize(context, request))
  )

  app.post<{ Querystring: UploadQuery }>('/v1/photos', { schema: postPhotoSchema }, async (request, reply) => {
    const receipt = await withForm(context, request, LABEL_FIELDS, (form, options) =>
      context.photos.upload(form.file, options)
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
      return await context.photos.upload(form.file, options)
    }
    if (photoId === undefined) throw new SheafError('ERR_BAD_PARAMETER', `alt_key ${alt} needs photo_id`)
    return await context.photos.addSize(requirePhotoId(photoId), alt, form.file, options)
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
    declaredBytes: declaredBytes(request)
  }
  return await withBody(context, request, context.init.maxUploadBytes, body => context.photos.upload(body, options))
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

function commonOptions({ query, headers }: FastifyRequest<{ Querystring: UploadQuery }>): CommonOptions {
  return { minCopies: query.min_copies, idempotencyKey: headers['idempotency-key']?.toString() }
}

function declaredBytes(request: FastifyRequest): number | undefined {
  const length = request.headers['content-length']
  return length === undefined ? undefined : Number(length)
}
