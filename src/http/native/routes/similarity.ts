import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import { invariant } from '../../../core/invariant.js'
import { MERGED_PHOTOS_MAX } from '../../../domain/limits.js'
import type { Mergeable } from '../../../domain/merged-metadata.js'
import type { Coverage, DuplicatePage, DuplicateTier, SearchResults } from '../../../search/similarity-types.js'
import { readUploadForm, singleField } from '../../forms/multipart-form.js'
import { whileConnected } from '../../wire/while-connected.js'
import { mergeJson, outcomesJson } from '../json-forms.js'
import { metaConditionOf } from '../photo-conditions.js'
import { type RouteContext, requirePhotoId } from '../route-context.js'
import {
  duplicatesSchema,
  findSimilarSchema,
  K_TEXT,
  notDuplicateSchema,
  resolveDuplicatesSchema,
  searchSchema,
  similarSchema,
  tellApartSchema
} from '../schemas/similarity-schemas.js'
import type { SeenLibrary } from '../seen-library.js'

/** Limit for query pictures; camera photos are at most a quarter of it. */
const PICTURE_BYTES_MAX = 64 * 1024 * 1024
const FORM_OVERHEAD_BYTES = 64 * 1024
const FIELDS = new Set(['k', 'tag'])
const K_FIELD = new RegExp(K_TEXT)

interface SearchQuery {
  readonly k?: number
  readonly tag?: string
}

interface ResolveBody {
  readonly keep: string
  readonly remove: readonly string[]
  readonly merge?: readonly Mergeable[]
}

interface TellApartBody {
  readonly ids: readonly string[]
  readonly others?: readonly string[]
  readonly distinct?: boolean
}

/** Searches for similar photos, and duplicates. */
export function addSimilarityRoutes(app: FastifyInstance, { seenBy, gates }: RouteContext): void {
  const gated = <Result>(request: FastifyRequest, task: (signal: AbortSignal) => Promise<Result>): Promise<Result> =>
    whileConnected(request, signal => gates.searches.pass(signal, () => task(signal)))
  const oneAtATime = <Result>(request: FastifyRequest, task: () => Promise<Result>): Promise<Result> =>
    whileConnected(request, signal => gates.merges.pass(signal, task))

  app.get<{ Params: { id: string }; Querystring: SearchQuery }>(
    '/similar/:id',
    { schema: similarSchema },
    async request => {
      const id = requirePhotoId(request.params.id)
      const found = await gated(request, signal => searchOf(seenBy(request)).byPhoto(id, request.query, signal))
      const results = found.results.map(({ photoId, score }) => ({ photo_id: photoId, distance: score }))
      return { results, ...searchJson(found) }
    }
  )

  app.get<{ Querystring: SearchQuery & { readonly q: string; readonly min_score?: number } }>(
    '/search',
    { schema: searchSchema },
    async request => {
      const { q, k, tag, min_score: minScore } = request.query
      const found = await gated(request, signal => searchOf(seenBy(request)).byText(q, { k, tag, minScore }, signal))
      const results = found.results.map(({ photoId, score }) => ({ photo_id: photoId, score }))
      return { results, ...searchJson(found) }
    }
  )

  app.get<{ Querystring: { readonly tier?: DuplicateTier; readonly cursor?: string } }>(
    '/duplicates',
    { schema: duplicatesSchema },
    async request => {
      const { tier, cursor } = request.query
      return duplicatesJson(await gated(request, () => duplicatesOf(seenBy(request)).list(tier, cursor)), tier)
    }
  )

  app.post<{ Body: ResolveBody }>('/duplicates/resolve', { schema: resolveDuplicatesSchema }, async request => {
    const { keep: keepText, remove, merge } = request.body
    const keep = requirePhotoId(keepText)
    const merged = { keep, remove: remove.map(requirePhotoId), merge }
    const seen = seenBy(request)
    const report = await oneAtATime(request, () => seen.photos.mergeDuplicates(merged))
    duplicatesOf(seen).forget()
    return { keep, ...mergeJson(report) }
  })

  app.post<{ Body: TellApartBody }>('/duplicates/distinct', { schema: tellApartSchema }, async request => {
    const { ids, others, distinct } = request.body
    const named = [ids.map(requirePhotoId), others?.map(requirePhotoId)] as const
    const outcomes = await oneAtATime(request, () => duplicatesOf(seenBy(request)).tellApart(...named, distinct))
    return { results: outcomesJson('remembered', outcomes) }
  })

  app.post<{ Params: { id: string }; Body: { readonly photo_id: string } }>(
    '/photo/:id/not_duplicate',
    { schema: notDuplicateSchema },
    async request => {
      const id = requirePhotoId(request.params.id)
      await duplicatesOf(seenBy(request)).unlink(id, requirePhotoId(request.body.photo_id), metaConditionOf(request))
      return { status: 'remembered', photo_id: id }
    }
  )
}

/** Register in a scope whose content-type parser does not read the body. */
export function addFindSimilarRoute(app: FastifyInstance, { bodies, seenBy }: RouteContext): void {
  app.post<{ Querystring: SearchQuery }>('/find_similar', { schema: findSimilarSchema }, async request => {
    const body = bodies.open(request.raw, PICTURE_BYTES_MAX + FORM_OVERHEAD_BYTES)
    try {
      const form = await readUploadForm(body, request.headers['content-type'], FIELDS, { fieldsAfterFile: true })
      const options = (): SearchQuery => {
        const field = { k: numberOf(singleField(form.fields, 'k')), tag: singleField(form.fields, 'tag') }
        const { k = field.k, tag = field.tag } = request.query
        return { ...(k !== undefined && { k }), ...(tag !== undefined && { tag }) }
      }
      const found = await whileConnected(request, signal =>
        searchOf(seenBy(request)).byImage(form.file, options, signal)
      )
      return {
        similar_photo_ids: found.results.map(({ photoId }) => photoId),
        distances: found.results.map(({ score }) => score),
        ...searchJson(found)
      }
    } finally {
      await body.return()
    }
  })
}

function searchOf({ search }: SeenLibrary): NonNullable<SeenLibrary['search']> {
  invariant(search !== undefined, 'only where photos are analyzed there are these routes')
  return search
}

function duplicatesOf({ duplicates }: SeenLibrary): NonNullable<SeenLibrary['duplicates']> {
  invariant(duplicates !== undefined, 'only where photos are analyzed there are these routes')
  return duplicates
}

/** @throws `ERR_BAD_PARAMETER` */
function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!K_FIELD.test(text)) throw new SheafError('ERR_BAD_PARAMETER', 'k must be a whole number from 1 to 1000')
  return Number(text)
}

function searchJson({ coverage, model }: SearchResults): object {
  return { coverage: coverageJson(coverage), model: model.name, model_id: model.id }
}

function coverageJson({ shardsOk, shardsTotal, fraction }: Coverage): object {
  return { shards_ok: shardsOk, shards_total: shardsTotal, fraction }
}

function duplicatesJson({ groups, counts, coverage, nextCursor }: DuplicatePage, tier?: DuplicateTier): object {
  const all = Object.values(counts).reduce((sum, count) => sum + count.groups, 0)
  return {
    groups: groups.map(({ tier: of, photoIds, score }) => ({
      tier: of,
      size: photoIds.length,
      photo_ids: photoIds.slice(0, MERGED_PHOTOS_MAX),
      score
    })),
    total: tier === undefined ? all : counts[tier].groups,
    tiers: counts,
    coverage: coverageJson(coverage),
    next_cursor: nextCursor
  }
}
