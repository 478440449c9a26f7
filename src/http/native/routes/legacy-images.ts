import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import type { AlbumId } from '../../../domain/ids.js'
import { foldText } from '../../../domain/text.js'
import type { UploadReceipt } from '../../../photos/photo-types.js'
import type { SearchResults } from '../../../search/similarity-types.js'
import { FilesForm, type FormFile } from '../../forms/files-form.js'
import { singleField } from '../../forms/multipart-form.js'
import { ERROR_MAP } from '../../wire/error-map.js'
import { whileConnected } from '../../wire/while-connected.js'
import { type LegacyContext, legacyUser } from '../legacy-context.js'
import { requireAlbumId, requirePhotoId } from '../route-context.js'
import {
  LEGACY_FILES_MAX,
  LEGACY_FOLDERS_MAX,
  legacyImageSchema,
  legacySearchSchema,
  legacyUploadSchema
} from '../schemas/legacy-schemas.js'
import type { SeenLibrary } from '../seen-library.js'
import { personOf } from '../who-asks.js'
import { sendContent } from './photo-content.js'

const FORM_OVERHEAD_BYTES = 2 * 1024 * 1024
const FIELD_NAMES = new Set(['token', 'folderName'])
const FILE_NAMES = new Set(['files', 'files[]'])
/** What is looked through for photos of some folders. */
const NEAREST_MAX = 1_000

interface UploadQuery {
  readonly token?: string
  readonly folderName?: string
}

interface SearchQuery {
  readonly query: string
  readonly folder_ids?: readonly string[]
  readonly top_k: number
}

/** What became of the files of a form. */
interface Outcome {
  readonly images: { readonly id: string; readonly filename: string }[]
  readonly failed: { readonly filename: string; readonly error: string }[]
  /** Why the first of those could not be stored. */
  fault?: SheafError
}

export function addLegacyImages(app: FastifyInstance, context: LegacyContext): void {
  const { seenBy, gates } = context

  app.route<{ Params: { readonly id: string } }>({
    method: ['GET', 'HEAD'],
    url: '/api/images/:id',
    exposeHeadRoute: false,
    schema: legacyImageSchema,
    handler: async (request, reply) => {
      const content = await seenBy(request).photos.open(requirePhotoId(request.params.id), 'orig')
      await sendContent(context, content, request, reply)
    }
  })

  app.get<{ Querystring: SearchQuery }>('/api/images/search', { schema: legacySearchSchema }, request =>
    whileConnected(request, signal =>
      gates.searches.pass(signal, async () => {
        const { query, folder_ids: folderIds, top_k: k } = request.query
        const seen = seenBy(request)
        const folders = await foldersOf(folderIds ?? [], seen)
        const results = await search(seen, query, folders.size === 0 ? k : NEAREST_MAX, signal)
        const shown = folders.size === 0 ? results : await within(folders, results, seen, signal)
        return {
          results: shown
            .slice(0, k)
            .map(({ photoId, score }) => ({ image: `/api/images/${photoId}`, similarity: score }))
        }
      })
    )
  )
}

/** Register in a scope whose content-type parser does not read the body. */
export function addLegacyUpload(app: FastifyInstance, context: LegacyContext): void {
  const { bodies, init } = context

  app.post<{ Querystring: UploadQuery }>('/api/images/upload', { schema: legacyUploadSchema }, async request => {
    const body = bodies.open(request.raw, init.maxUploadBytes + FORM_OVERHEAD_BYTES)
    try {
      const form = new FilesForm(body, request.headers['content-type'], {
        fieldNames: FIELD_NAMES,
        fileNames: FILE_NAMES,
        filesMax: LEGACY_FILES_MAX
      })
      const first = await form.next()
      // what a form says of itself is read before what it is for: nothing is stored of somebody who is not known
      await identify(request, form)
      if (first === undefined) throw new SheafError('ERR_NO_FILE', 'the form has no field "files[]" with a file')
      const folder = await folderCalled(context, request, folderName(request, form))
      const { fault, images, failed } = await store(context, request, { form, first, folder })
      if (fault !== undefined && images.length === 0) throw fault
      return { message: `${images.length} stored, ${failed.length} failed`, folderId: folder, images, failed }
    } finally {
      await body.return()
    }
  })
}

/** @throws `ERR_UNAUTHENTICATED`, as `identify` of the request, `ERR_BAD_PARAMETER` */
async function identify(request: FastifyRequest<{ Querystring: UploadQuery }>, form: FilesForm): Promise<void> {
  const token = singleField(form.fields, 'token')
  const { token: inQuery } = request.query
  if (token !== undefined && inQuery !== undefined && token !== inQuery)
    throw new SheafError('ERR_BAD_PARAMETER', 'the query has another `token` than the form')
  if (token !== undefined) await request.identify(token)
  legacyUser(request)
}

/** @throws `ERR_BAD_PARAMETER` */
function folderName(request: FastifyRequest<{ Querystring: UploadQuery }>, form: FilesForm): string {
  const name = singleField(form.fields, 'folderName') ?? request.query.folderName
  if (name !== undefined) return name
  throw new SheafError('ERR_BAD_PARAMETER', 'folderName must come before the files, or stand in the query')
}

/** @returns the oldest of one's own albums with that title; a new one, where there is none */
async function folderCalled(
  { seenBy, shares }: Pick<LegacyContext, 'seenBy' | 'shares'>,
  request: FastifyRequest,
  name: string
): Promise<AlbumId> {
  const { albums } = seenBy(request)
  const { userId } = legacyUser(request)
  const folded = foldText(name.trim())
  const [own] = albums
    .titles()
    .filter(({ title }) => foldText(title) === folded)
    .filter(({ id }) => shares.list(id, personOf(request.asker.principal)).owner === userId)
    .map(({ id }) => id)
    .sort()
  if (own !== undefined) return own
  const { album } = await albums.create({ title: name, maker: userId })
  if (album === undefined) throw new SheafError('ERR_INTERNAL')
  return album.id
}

async function store(
  { seenBy }: Pick<LegacyContext, 'seenBy'>,
  request: FastifyRequest,
  { form, first, folder }: { readonly form: FilesForm; readonly first: FormFile; readonly folder: AlbumId }
): Promise<Outcome> {
  const { photos } = seenBy(request)
  const { userId } = legacyUser(request)
  const length = request.headers['content-length']
  const outcome: Outcome = { images: [], failed: [] }
  for (let file: FormFile | undefined = first; file !== undefined; file = await form.next()) {
    const { filename = '', contentType, bytes } = file
    const atMostBytes = length === undefined ? undefined : Number(length)
    const options = { filename, contentType, albums: [folder], owner: userId, atMostBytes }
    const stored: UploadReceipt | SheafError = await photos.upload(bytes, options).catch((err: unknown) => {
      // without the rest of the form there are no further files
      if (form.isBroken || !(err instanceof SheafError) || ERROR_MAP[err.code].status === 500) throw err
      return err
    })
    if (stored instanceof SheafError) {
      outcome.fault ??= stored
      outcome.failed.push({ filename, error: stored.message })
    } else outcome.images.push({ id: stored.photoId, filename })
  }
  return outcome
}

/** @throws `ERR_BAD_ID`, `ERR_BAD_PARAMETER`, as `Albums.get` */
async function foldersOf(texts: readonly string[], { albums }: SeenLibrary): Promise<ReadonlySet<AlbumId>> {
  const ids = new Set(texts.flatMap(text => text.split(',')).map(text => requireAlbumId(text.trim())))
  if (ids.size > LEGACY_FOLDERS_MAX)
    throw new SheafError('ERR_BAD_PARAMETER', `at most ${LEGACY_FOLDERS_MAX} folders can be searched at once`)
  for (const id of ids) await albums.get(id)
  return ids
}

async function search(
  seen: SeenLibrary,
  text: string,
  k: number,
  signal: AbortSignal
): Promise<SearchResults['results']> {
  if (seen.search === undefined) throw new SheafError('ERR_MODEL_UNAVAILABLE')
  return (await seen.search.byText(text, { k }, signal)).results
}

async function within(
  folders: ReadonlySet<AlbumId>,
  results: SearchResults['results'],
  { photos }: SeenLibrary,
  signal: AbortSignal
): Promise<SearchResults['results']> {
  const ids = results.map(({ photoId }) => photoId)
  const listed = await photos.lookUp(ids, signal)
  const inside = new Set(
    listed.filter(({ albums }) => albums.ids.some(id => folders.has(id))).map(({ photo }) => photo.id)
  )
  return results.filter(({ photoId }) => inside.has(photoId))
}
