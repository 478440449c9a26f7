import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import type { Value } from '../../../src/domain/cbor.js'
import { type Entry, GENERATION_MAX, VERSION_FIELD } from '../../../src/domain/entry.js'
import { HLC_MAX, type Hlc, hlcFrom } from '../../../src/domain/hlc.js'
import type { ActorId } from '../../../src/domain/ids.js'
import { PHOTO_KIND } from '../../../src/domain/photo.js'
import type { DirectoryRecord } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { actorInLife, COUNTER_MAX, compareDots, type LifeActor } from '../../../src/domain/version-vector.js'
import { NOW_MS, textArb, valueArb } from '../../support/domain-arbitraries.js'
import { bodyOf, photosFixture } from './photos-fixture.js'

/** What a forger may have the node believe of one of its photos, around the bounds of each field. */
const forgery = fc.record({
  actor: fc.constantFrom('own', 'aaaaaaaaaaaaaaaa', 'ffffffffffffffff'),
  counter: fc.constantFrom(1, 2, COUNTER_MAX, COUNTER_MAX, COUNTER_MAX + 1),
  hlc: fc.constantFrom(0n, hlcFrom(NOW_MS), HLC_MAX, HLC_MAX) as fc.Arbitrary<Hlc>,
  generation: fc.constantFrom(0, 0, 1, 2 ** 19, 2 ** 19 + 1, GENERATION_MAX),
  deleted: fc.boolean(),
  field: fc.constantFrom(
    VERSION_FIELD,
    VERSION_FIELD,
    'tags',
    'albums',
    'facts',
    'variants',
    'features',
    'links',
    'new'
  ),
  key: fc.oneof(
    fc.constantFrom('', 'dimensions', 'taken_at', 'image', 'phash', 'pair', 'media', 'thumb', 'a\0b'),
    textArb
  ),
  value: fc.dictionary(
    fc.constantFrom(
      'size',
      'sha256',
      'cookie',
      'chunk_bytes',
      'name',
      'caption',
      'rating',
      'attributes',
      'born',
      'ms',
      'width',
      'of',
      'parts',
      'live_id',
      'motion_at',
      'motion_bytes',
      'motion_type',
      'live'
    ),
    valueArb,
    { maxKeys: 2 }
  ),
  keeps: fc.constantFrom(true, true, true, false)
})

type Forgery = typeof forgery extends fc.Arbitrary<infer T> ? T : never

function forge(before: DirectoryRecord, own: ActorId, forgeries: readonly Forgery[], covers: boolean): DirectoryRecord {
  const shown = before.entries.find(({ field }) => field === VERSION_FIELD)?.value ?? []
  const context = new Map<LifeActor, number>(covers ? before.context : [])
  const entries = new Map<string, Entry>()
  for (const { actor, counter, value, keeps, key, field, ...rest } of forgeries) {
    const dot = { actor: actorInLife(actor === 'own' ? own : (actor as ActorId), rest.generation), counter }
    const all = new Map<string, Value>([...(keeps ? shown : []), ...Object.entries(value)])
    entries.set(`${dot.actor} ${counter}`, { ...rest, dot, field, key: field === VERSION_FIELD ? '' : key, value: all })
    context.set(dot.actor, Math.max(counter, context.get(dot.actor) ?? 0))
  }
  const sorted = [...entries.values()].sort((a, b) => compareDots(a.dot, b.dot))
  return { kind: before.kind, id: before.id, context, entries: sorted }
}

test('whatever others say of a photo, its directory holds, and clients get answers that are no defects', async () => {
  const { photos, directory, store } = await photosFixture()
  const answered = async (ask: () => Promise<unknown>): Promise<string> => {
    try {
      await ask()
      return 'ok'
    } catch (err) {
      if (!(err instanceof SheafError)) throw err
      return err.code
    }
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.array(forgery, { minLength: 1, maxLength: 3 }), fc.boolean()), {
        minLength: 1,
        maxLength: 4
      }),
      async all => {
        const { photoId } = await photos.upload(bodyOf(Buffer.from('bytes')), { filename: 'a.txt' })
        const before = directory.getSync({ kind: PHOTO_KIND, id: photoId })?.record as DirectoryRecord
        for (const [forgeries, covers] of all) {
          const record = forge(before, store.epoch, forgeries, covers)
          const told = await answered(() => directory.merge([encodeRecord(record)]))
          expect(['ok', 'ERR_RECORD_MALFORMED']).toContain(told)
        }
        const asks = [
          () => photos.meta(photoId),
          () => photos.patch(photoId, { caption: 'mine', tags: { add: ['t'] } }),
          () => photos.conflicts(photoId),
          () => photos.restore(photoId, 1),
          () => photos.remove(photoId),
          () => photos.undelete(photoId),
          () => photos.patch(photoId, { caption: 'again' }),
          () => photos.open(photoId, 'orig'),
          () => photos.openMotion(photoId),
          () => photos.list({ limit: 50, q: 'mine' })
        ]
        for (const ask of asks)
          expect(['ERR_RECORD_MALFORMED', 'ERR_DIRECTORY_UNAVAILABLE']).not.toContain(await answered(ask))
        expect(directory.state).toBe('open')
        const meta = await answered(async () => expect((await photos.meta(photoId)).photo.caption).toBe('again'))
        expect(['ok', 'ERR_PHOTO_DELETED']).toContain(meta)
      }
    ),
    { numRuns: 200 }
  )
  expect(await directory.verify()).toEqual([])
})
