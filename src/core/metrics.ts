import { invariant } from './invariant.js'
import type { Logger } from './log.js'
import { type CounterName, type HistogramName, METRICS, type MetricFamily, type MetricName } from './metric-families.js'

/** Values by label. Each comes from a fixed list (routes, methods, codes) or names a member: their number is bounded. */
export type Labels = Readonly<Record<string, string>>

/** One series of a family that is read at a scrape. */
export interface Sample {
  readonly labels: Labels
  readonly value: number
}

/** What a family shows at a scrape; undefined: not known, so it is left out. */
export type Reading = number | undefined | readonly Sample[]

/** Where a component counts and measures; given to it like its log. */
export interface Metrics {
  /** @returns the series with these labels, always the same one */
  counter(name: CounterName, labels?: Labels): Counter
  /** @returns the series with these labels, always the same one */
  histogram(name: HistogramName, labels?: Labels): Histogram
  /** Reads the family at each scrape, from numbers that are there already: nothing is scanned. */
  read(name: Exclude<MetricName, HistogramName>, read: () => Reading | Promise<Reading>): void
}

/** A number that only rises. */
export class Counter {
  value = 0

  add(by = 1): void {
    this.value += by
  }
}

/** How many values fell into each bucket. */
export class Histogram {
  /** Upper bounds, rising; one more bucket takes what is above. */
  readonly bounds: readonly number[]
  /** By bucket, not cumulative. */
  readonly counts: Float64Array
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const { bounds, counts } = this
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++
    counts[bucket] = (counts[bucket] as number) + 1
    this.sum += value
  }
}

/** One family as it is at a scrape. */
export interface FamilyReading {
  readonly name: MetricName
  readonly family: MetricFamily
  readonly series: readonly { readonly labels: Labels; readonly value: number | Histogram }[]
}

/** Of one family. Labels are bounded by construction: more is a defect. */
const SERIES_MAX = 2_048

interface Family {
  readonly byLabels: Map<string, { readonly labels: Labels; readonly value: Counter | Histogram }>
  read: (() => Reading | Promise<Reading>) | undefined
}

/** Plain numbers in memory, put together when somebody asks. */
export class MetricsRegistry implements Metrics {
  readonly #families = new Map<MetricName, Family>()
  readonly #log: Logger
  readonly #faults: Counter

  constructor(components: { readonly log: Logger }) {
    this.#log = components.log
    this.#faults = this.counter('sheaf_scrape_faults_total')
  }

  counter(name: CounterName, labels: Labels = {}): Counter {
    return this.#series(name, labels, () => new Counter())
  }

  histogram(name: HistogramName, labels: Labels = {}): Histogram {
    return this.#series(name, labels, () => new Histogram(METRICS[name].buckets))
  }

  read(name: Exclude<MetricName, HistogramName>, read: () => Reading | Promise<Reading>): void {
    this.#family(name).read = read
  }

  /** @returns the families that have a value, in the order of {@link METRICS}. One that cannot be read is left out and logged */
  async collect(): Promise<readonly FamilyReading[]> {
    const all: FamilyReading[] = []
    for (const [name, family] of Object.entries(METRICS) as [MetricName, MetricFamily][]) {
      const series = await this.#collect(name)
      if (series.length > 0) all.push({ name, family, series })
    }
    return all
  }

  async #collect(name: MetricName): Promise<FamilyReading['series']> {
    const family = this.#families.get(name)
    if (family === undefined) return []
    const kept = [...family.byLabels.values()].map(({ labels, value }) => ({
      labels,
      value: value instanceof Counter ? value.value : value
    }))
    try {
      return [...kept, ...samplesOf(await family.read?.())]
    } catch (err) {
      this.#faults.add()
      this.#log.debug({ err, metric: name }, 'could not read a metric; left it out')
      return kept
    }
  }

  #series<Value extends Counter | Histogram>(name: MetricName, labels: Labels, create: () => Value): Value {
    const { byLabels } = this.#family(name)
    const key = Object.values(labels).join('\0')
    const known = byLabels.get(key)
    if (known !== undefined) return known.value as Value
    invariant(byLabels.size < SERIES_MAX, `${name} has no more than ${SERIES_MAX} series`)
    const value = create()
    byLabels.set(key, { labels, value })
    return value
  }

  #family(name: MetricName): Family {
    let family = this.#families.get(name)
    if (family === undefined) {
      family = { byLabels: new Map(), read: undefined }
      this.#families.set(name, family)
    }
    return family
  }
}

function samplesOf(reading: Reading): readonly Sample[] {
  if (reading === undefined) return []
  return typeof reading === 'number' ? [{ labels: {}, value: reading }] : reading.slice(0, SERIES_MAX)
}
