import type { FastifyInstance } from 'fastify'
import type { BatchRequest, Selected } from '../../../admin/batches.js'
import { SheafError } from '../../../core/errors.js'
import type { PhotoId } from '../../../domain/ids.js'
import type { SelectedList } from '../../../photos/library-lists.js'
import type { BatchOutcome, BatchPatch, ListFilters } from '../../../photos/photo-types.js'
import { whileConnected } from '../../wire/while-connected.js'
import { type BatchDone, batchJson, jobJson } from '../json-forms.js'
import { type PlaceBody, placeOfBody } from '../place-body.js'
import { type RouteContext, requirePhotoId } from '../route-context.js'
import { batchSchema } from '../schemas/list-schemas.js'
import type { SeenLibrary } from '../seen-library.js'
import { filtersBy, userOf } from '../who-asks.js'

interface SelectBody extends ListFilters {
  readonly list?: SelectedList['list']
  readonly job?: string
}

interface BatchBody extends Pick<BatchPatch, 'tags' | 'albums' | 'caption' | 'rating' | 'favourite' | 'archived'> {
  readonly delete?: readonly string[]
  readonly undelete?: readonly string[]
  readonly ids?: readonly string[]
  readonly select?: SelectBody
  readonly total?: number
  readonly act?: 'delete' | 'undelete'
  readonly taken_at?: string | null
  readonly shift_s?: number
  readonly place?: PlaceBody | null
}

/** What is done with each photo of a batch. */
interface Act {
  /** Of a photo with which it was done. */
  readonly status: BatchDone
  readonly kind: string
  readonly change: BatchRequest['change']
}

const FORM =
  'the body must be {delete: [ids]}, {undelete: [ids]}, or {ids: [ids]} with what is to be changed; or {select: {…}, total: n} with ' +
  'act: "delete", act: "undelete" or what is to be changed'

/** `POST /v1/photos/batch`: changes many photos, those that are named or all of a list. */
export function addPhotoBatchRoute(app: FastifyInstance, context: RouteContext): void {
  const { batches, gates } = context

  app.post<{ Body: BatchBody }>('/v1/photos/batch', { schema: batchSchema }, async (request, reply) => {
    const { select, total } = request.body
    const seen = context.seenBy(request)
    const { status, kind, change } = actOf(seen, request.body)
    if (select === undefined) return batchJson(status, await change(namedBy(request.body)))
    if (total === undefined) throw new SheafError('ERR_BAD_PARAMETER', 'select needs total: how many photos it means')
    const selected = selectedBy(filtersBy(request, select))
    if (kind === 'batch-undelete' && 'list' in selected && selected.list !== 'trash')
      throw new SheafError('ERR_BAD_PARAMETER', 'only what is in the trash can be undeleted: select {"list": "trash"}')
    if (kind !== 'batch-undelete' && 'list' in selected && selected.list === 'trash')
      throw new SheafError('ERR_BAD_PARAMETER', 'what is in the trash can only be undeleted')
    const done = await whileConnected(request, signal =>
      gates.counts.pass(signal, () =>
        batches.run({ select: selected, total, kind, viewer: seen.viewer, owner: userOf(request), change }, signal)
      )
    )
    if (!('id' in done)) return batchJson(status, done)
    reply.code(202).header('location', `/v1/admin/jobs/${done.id}`)
    return jobJson(done)
  })
}

function namedBy(body: BatchBody): PhotoId[] {
  return (body.delete ?? body.undelete ?? body.ids ?? []).map(requirePhotoId)
}

/** @throws `ERR_BAD_PARAMETER` */
function selectedBy({ list, job, ...filters }: SelectBody): Selected {
  const isFiltered = Object.keys(filters).length > 0
  if (job !== undefined) {
    if (list === undefined && !isFiltered) return { job }
    throw new SheafError('ERR_BAD_PARAMETER', 'select takes either a job, or a list with filters')
  }
  if (list === 'trash' && isFiltered)
    throw new SheafError('ERR_BAD_PARAMETER', 'the trash has no filters: select all of it, or name photos by undelete')
  return { list: list ?? 'photos', filters }
}

/** @throws `ERR_BAD_PARAMETER` unless the body says exactly one thing to do */
function actOf({ photos, duplicates }: SeenLibrary, body: BatchBody): Act {
  const { delete: deleted, undelete: restored, ids, select, total, act, ...change } = body
  const { taken_at: takenAt, shift_s: shiftS, place, ...said } = change
  const patch = {
    ...said,
    ...(takenAt !== undefined && { takenAt }),
    ...(shiftS !== undefined && { shiftS }),
    ...(place !== undefined && { place: placeOfBody(place) })
  }
  const isEdit = Object.keys(patch).length > 0
  const isNamed = select === undefined && total === undefined && act === undefined
  const asked = [deleted, restored, ids, select].filter(one => one !== undefined)
  const wantsEdit = isNamed ? ids !== undefined : act === undefined
  if (asked.length !== 1 || isEdit !== wantsEdit || isNamed !== (select === undefined))
    throw new SheafError('ERR_BAD_PARAMETER', FORM)
  if (takenAt !== undefined && shiftS !== undefined)
    throw new SheafError('ERR_BAD_PARAMETER', 'taken_at sets the dates and shift_s moves them: send one of the two')

  if (deleted !== undefined || act === 'delete')
    return { status: 'deleted', kind: 'batch-delete', change: some => photos.batchDelete(some) }
  if (restored === undefined && act === undefined)
    return { status: 'updated', kind: 'batch-edit', change: some => photos.batchEdit(some, patch) }
  const undelete = async (some: readonly PhotoId[]): Promise<readonly BatchOutcome[]> => {
    const outcomes = await photos.batchUndelete(some)
    duplicates?.forget()
    return outcomes
  }
  return { status: 'restored', kind: 'batch-undelete', change: undelete }
}
