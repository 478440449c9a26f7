import { beforeEach, expect, test } from 'vitest'
import { InvariantError } from '../../../src/core/invariant.js'
import { type Logger, silentLog } from '../../../src/core/log.js'
import { METRICS } from '../../../src/core/metric-families.js'
import { Histogram, MetricsRegistry } from '../../../src/core/metrics.js'
import { surviveInvariants } from '../../support/survive-invariants.js'

surviveInvariants()

let logged: object[]
let metrics: MetricsRegistry

beforeEach(() => {
  logged = []
  const log: Logger = { ...silentLog, debug: (fields, message) => logged.push({ ...fields, message }) }
  metrics = new MetricsRegistry({ log })
})

async function valuesOf(name: string): Promise<unknown[] | undefined> {
  const family = (await metrics.collect()).find(one => one.name === name)
  return family?.series.map(({ labels, value }) => [labels, value])
}

test('the same labels are the same series', async () => {
  metrics.counter('sheaf_http_problems_total', { code: 'A' }).add()
  metrics.counter('sheaf_http_problems_total', { code: 'B' }).add(5)
  metrics.counter('sheaf_http_problems_total', { code: 'A' }).add()
  expect(await valuesOf('sheaf_http_problems_total')).toEqual([
    [{ code: 'A' }, 2],
    [{ code: 'B' }, 5]
  ])
})

test('a histogram counts a value in the first bucket that it fits, bound included', () => {
  const histogram = new Histogram([1, 2, 4])
  for (const value of [0, 1, 1.5, 4, 4.1, 100]) histogram.observe(value)
  expect([...histogram.counts]).toEqual([2, 1, 1, 2])
  expect(histogram.sum).toBeCloseTo(110.6)
})

test('a family is read at each scrape; one that is not known is left out', async () => {
  let photos: number | undefined
  metrics.read('sheaf_photos', () => photos)
  metrics.read('sheaf_disk_free_bytes', async () => 7)
  expect(await valuesOf('sheaf_photos')).toBeUndefined()
  photos = 3
  expect(await valuesOf('sheaf_photos')).toEqual([[{}, 3]])
  expect(await valuesOf('sheaf_disk_free_bytes')).toEqual([[{}, 7]])
})

test('a family that cannot be read is left out, counted and logged; the others are there', async () => {
  metrics.read('sheaf_photos', () => {
    throw new Error('planted')
  })
  metrics.read('sheaf_holes', () => 0)
  const names = (await metrics.collect()).map(({ name }) => name)
  expect(names).toEqual(['sheaf_holes', 'sheaf_scrape_faults_total'])
  expect(await valuesOf('sheaf_scrape_faults_total')).toEqual([[{}, 2]])
  expect(logged[0]).toMatchObject({ metric: 'sheaf_photos', message: 'could not read a metric; left it out' })
})

test('families come in the order in which they are described', async () => {
  metrics.read('sheaf_ready', () => 1)
  metrics.counter('sheaf_http_problems_total', { code: 'A' })
  const names = (await metrics.collect()).map(({ name }) => name)
  expect(names).toEqual(Object.keys(METRICS).filter(name => (names as string[]).includes(name)))
})

test('series are bounded: more of them are a defect', () => {
  const add = (): void => {
    for (let i = 0; i < 5_000; i++) metrics.counter('sheaf_http_problems_total', { code: `${i}` })
  }
  expect(add).toThrow(InvariantError)
})

test('names and units follow the conventions of Prometheus', () => {
  for (const [name, family] of Object.entries(METRICS)) {
    expect(name).toMatch(/^sheaf_[a-z_]+$/)
    expect(name.endsWith('_total'), name).toBe(family.type === 'counter')
    expect('buckets' in family, name).toBe(family.type === 'histogram')
    expect(name, 'base units').not.toMatch(/_(ms|milliseconds|minutes|days|kib|mb|percent)(_|$)/)
    expect(family.help, name).toMatch(/^[A-Z0-9].*[^.]$/)
    if ('buckets' in family) expect([...family.buckets].sort((a, b) => a - b)).toEqual(family.buckets)
  }
})
