/*
 * Generators of domain values for fast-check, and a few literal ones. Universes are kept small on purpose: laws break
 * where two sides talk about the same actor, dot, element or byte.
 */
import fc from 'fast-check'
import type { Value } from '../../src/domain/cbor.js'
import { type Entry, GENERATION_MAX, VERSION_FIELD } from '../../src/domain/entry.js'
import { HLC_MAX, type Hlc, hlcFrom } from '../../src/domain/hlc.js'
import {
  type ActorId,
  actorIdFrom,
  type Cookie,
  cookieFrom,
  type PhotoId,
  photoIdFrom,
  type VolumeId,
  volumeId
} from '../../src/domain/ids.js'
import type { NeedleHeader } from '../../src/domain/needle.js'
import type { NewPhoto } from '../../src/domain/photo.js'
import type { DirectoryRecord, RecordKey, Stamper } from '../../src/domain/record.js'
import { actorInLife, compareDots, type LifeActor } from '../../src/domain/version-vector.js'

export const ACTORS: readonly ActorId[] = ['00000000000000a1', '00000000000000b2', 'ffffffffffffffc3'] as ActorId[]
export const PHOTO_ID = '01990000-0000-7000-8000-00000000cafe' as PhotoId
export const PHOTO_KEY: RecordKey = { kind: 'photo', id: PHOTO_ID }
export const COOKIE = '000102030405060708090a0b0c0d0e0f' as Cookie
/** 20 November 2026, 12:00 UTC. */
export const NOW_MS = Date.UTC(2026, 10, 20, 12)

export const PHOTO_BIRTH: NewPhoto = {
  size: 123_456,
  sha256: '5e'.repeat(32),
  contentType: 'image/jpeg',
  cookie: COOKIE,
  logicalVolume: '00000000000000a1-1',
  chunkBytes: 0,
  name: 'IMG_0042.jpg',
  tags: ['sea', 'holiday'],
  width: 4000,
  height: 3000
}

/** A stamper whose stamps go up by one, from `ms` or from what it sees. */
export function countingStamper(actor: ActorId = ACTORS[0] as ActorId, ms: number = NOW_MS): Stamper {
  let last: bigint = hlcFrom(ms)
  return {
    actor,
    hlc: seen => {
      for (const stamp of seen) if (stamp > last) last = stamp
      last += 1n
      return last as Hlc
    }
  }
}

export function bytesArb(byteCount: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: byteCount, maxLength: byteCount })
}

export const uint32Arb = fc.integer({ min: 0, max: 0xffff_ffff })
export const actorIdArb: fc.Arbitrary<ActorId> = fc.oneof(fc.constantFrom(...ACTORS), bytesArb(8).map(actorIdFrom))
export const photoIdArb: fc.Arbitrary<PhotoId> = bytesArb(16).map(photoIdFrom)
export const cookieArb: fc.Arbitrary<Cookie> = bytesArb(16).map(cookieFrom)
export const hlcArb: fc.Arbitrary<Hlc> = fc.bigInt({ min: 0n, max: HLC_MAX }).map(value => value as Hlc)
export const volumeIdArb: fc.Arbitrary<VolumeId> = fc
  .tuple(actorIdArb, fc.integer({ min: 1, max: 0xffff_ffff }))
  .map(([epoch, sequence]) => volumeId(epoch, sequence))

/** Text that UTF-8 can spell, of all planes. */
export const textArb: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 60 })
)

export const valueArb: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>(tie => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom<Value>(null, true, false, 0, -1, 23, 24, 255, 256, 65_536, 2 ** 32, Number.MAX_SAFE_INTEGER),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(value => (Object.is(value, -0) ? 0 : value)),
    fc.oneof(
      fc.bigInt({ min: BigInt(Number.MAX_SAFE_INTEGER) + 1n, max: 2n ** 64n - 1n }),
      fc.bigInt({ min: -(2n ** 64n), max: -BigInt(Number.MAX_SAFE_INTEGER) - 1n })
    ),
    textArb,
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(textArb, tie('value')), { maxLength: 4 }).map(pairs => new Map(pairs))
  )
})).value

const fieldsArb: fc.Arbitrary<ReadonlyMap<string, Value>> = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom('name', 'size', 'born'), textArb), valueArb), { maxLength: 4 })
  .map(pairs => new Map(pairs))

export function unknownFieldsArb(first: number): fc.Arbitrary<ReadonlyMap<number, Value>> {
  return fc
    .array(fc.tuple(fc.integer({ min: first, max: first + 300 }), valueArb), { minLength: 1, maxLength: 3 })
    .map(pairs => new Map(pairs))
}

const entryArb: fc.Arbitrary<Entry> = fc
  .record({
    actor: fc.constantFrom(...ACTORS),
    counter: fc.integer({ min: 1, max: 4 }),
    hlc: fc.oneof(fc.constantFrom(1n, 2n, 3n), hlcArb).map(value => value as Hlc),
    generation: fc.constantFrom(0, 0, 1, 2, GENERATION_MAX),
    deleted: fc.boolean(),
    field: fc.constantFrom(VERSION_FIELD, VERSION_FIELD, 'tags', 'variants', 'Ω'),
    key: fc.constantFrom('', 'a', 'b', 'ß'),
    value: fc.oneof(fc.constant<ReadonlyMap<string, Value>>(new Map()), fieldsArb),
    extra: fc.option(unknownFieldsArb(8), { nil: undefined, freq: 8 })
  })
  .map(({ actor, counter, extra, ...rest }) => {
    const entry = { dot: { actor: actorInLife(actor, rest.generation), counter }, ...rest }
    return extra === undefined ? entry : { ...entry, extra }
  })

/**
 * Records under one key that no sequence of writes need have made: any contents under any dots, the same dot with
 * different contents in two records included. Canonical as to order, and the context covers the entries.
 */
export const recordArb: fc.Arbitrary<DirectoryRecord> = fc
  .record({
    buried: fc.constantFrom(0, 0, 1, 2),
    seen: fc.array(fc.tuple(fc.constantFrom(...ACTORS), fc.constantFrom(0, 0, 1, 2), fc.integer({ min: 1, max: 5 })), {
      maxLength: 3
    }),
    entries: fc.uniqueArray(entryArb, { maxLength: 6, selector: ({ dot }) => `${dot.actor}.${dot.counter}` }),
    extra: fc.option(unknownFieldsArb(6), { nil: undefined, freq: 4 })
  })
  .map(({ buried, seen, entries, extra }) => {
    const left = entries.filter(({ generation }) => generation >= buried)
    const dots = [
      ...seen
        .filter(([, life]) => life >= buried)
        .map(([actor, life, counter]) => [actorInLife(actor, life), counter] as const),
      ...left.map(({ dot }) => [dot.actor, dot.counter] as const)
    ]
    const context = new Map<LifeActor, number>()
    for (const [actor, counter] of dots) context.set(actor, Math.max(counter, context.get(actor) ?? 0))
    const sorted = left.toSorted((a, b) => compareDots(a.dot, b.dot))
    const unknown = buried > 0 || extra === undefined ? {} : { extra }
    return { ...PHOTO_KEY, ...(buried > 0 && { buried }), context, entries: sorted, ...unknown }
  })

/**
 * Records as only a faulty or hostile node writes them: any values under names that mean something, in any life.
 *
 * @param fields - of elements
 * @param keys - of elements
 * @param names - in values
 */
export function hostileRecordArb(
  key: RecordKey,
  fields: readonly string[],
  keys: readonly string[],
  names: readonly string[] = ['phc', 'cred', 'why', 'by', ...fields]
): fc.Arbitrary<DirectoryRecord> {
  const nameArb = fc.oneof(fc.constantFrom(...names), textArb)
  const oneArb = fc.oneof(
    valueArb,
    fc.constantFrom<Value>(PHOTO_ID, NOW_MS, 'api', 'admin', 'open', 'x'.repeat(70_000))
  )
  const mapArb = fc.array(fc.tuple(nameArb, oneArb), { maxLength: 8 }).map(pairs => new Map(pairs))
  const changeArb = fc.record({
    field: fc.constantFrom(VERSION_FIELD, VERSION_FIELD, ...fields),
    key: fc.constantFrom('', 'a', ...keys),
    value: mapArb
  })
  return fc.tuple(recordArb, fc.array(changeArb, { minLength: 6, maxLength: 6 })).map(([record, changes]) => {
    const version = { hlc: hlcFrom(1), generation: 0, deleted: false }
    const dot = { actor: ACTORS[0] as LifeActor, counter: 9 }
    const first = { dot, ...version, field: VERSION_FIELD, key: '', value: new Map(changes[0]?.value) }
    const entries = record.entries.map((entry, i) => ({ ...entry, ...changes[i] }))
    const context = new Map(record.context).set(dot.actor, 9)
    return { ...key, context, entries: [...entries, first].toSorted((a, b) => compareDots(a.dot, b.dot)) }
  })
}

export const needleHeaderArb: fc.Arbitrary<Omit<NeedleHeader, 'length'>> = fc.record({
  kind: fc.constantFrom('data', 'record', 'manifest'),
  flags: fc.integer({ min: 0, max: 0xffff }),
  id: bytesArb(16),
  cookie: bytesArb(16),
  generation: uint32Arb,
  alternateKey: uint32Arb,
  chunk: uint32Arb
})
