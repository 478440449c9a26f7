import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Clock } from './core/clock.js'
import type { ErrorCode, SheafError } from './core/errors.js'
import type { DiskSpace } from './core/file-system.js'
import type { Metrics, Sample } from './core/metrics.js'
import { hlcMs } from './domain/hlc.js'
import { shownVersion } from './domain/record.js'
import { isPresent, type MemberView } from './network/membership/member-view.js'
import type { NodeServices } from './node-services.js'
import type { Volume } from './volumes/volume.js'

/** A timer at this interval measures the event loop, from the first scrape on, ms. */
const LOOP_RESOLUTION_MS = 50
/** What several metrics are read from is read once in this time, ms: a scrape takes less. */
const SCRAPE_MS = 100
const NS_PER_S = 1e9
const QUANTILES = [0.5, 0.99, 1]

export interface NodeMetricsComponents {
  readonly metrics: Metrics
  readonly services: NodeServices
  readonly clock: Clock
  /** Connections that the transport refused, by code. */
  readonly refusals: () => ReadonlyMap<ErrorCode, number>
  readonly space: () => Promise<DiskSpace>
  /** Of the HTTP server, ms since the Unix epoch; undefined: it has none. */
  readonly certificateEndsAtMs: () => number | undefined
}

export interface NodeMetricsInit {
  readonly nodeId: string
  readonly version: string
}

/** Says how each metric is read that no component counts for itself: from what the services know anyway. */
export function describeNode(components: NodeMetricsComponents, init: NodeMetricsInit): void {
  const { services } = components
  describeStore(components)
  describeCluster(components)
  describeSafekeeping(components)
  describeSimilarity(components)
  describeProcess(components, init, () => services.unready())
}

function describeStore({ metrics, services, clock, space }: NodeMetricsComponents): void {
  const { directory, volumes, inspector, compactor, scrubber, sweep, laidOut, age } = services.local
  const all = onceAScrape(clock, (): readonly Volume[] => volumes.volumes())
  const holes = () => all().flatMap(volume => volume.holes)
  metrics.read('sheaf_photos', () => directory.count('all'))
  metrics.read('sheaf_records_of_later_format', () => directory.opaqueCount)
  metrics.read('sheaf_volumes', () => byState(all(), ['active', 'closed', 'failed']))
  metrics.read('sheaf_volume_bytes', () => {
    const bytes = { live: 0, dead: 0, uninspected: 0 }
    for (const volume of all()) {
      const { liveBytes = 0, deadBytes = 0 } = inspector.latest(volume) ?? {}
      bytes.live += liveBytes
      bytes.dead += deadBytes
      bytes.uninspected += Math.max(0, volume.end - liveBytes - deadBytes)
    }
    return Object.entries(bytes).map(([use, value]) => sample(value, { use }))
  })
  metrics.read('sheaf_volume_needles', () => all().reduce((sum, { needleCount }) => sum + needleCount, 0))
  metrics.read('sheaf_holes', () => holes().length)
  metrics.read('sheaf_hole_bytes', () => holes().reduce((sum, { from, to }) => sum + to - from, 0))
  metrics.read('sheaf_compactions_total', () => compactor.counts.volumes)
  metrics.read('sheaf_compaction_moved_bytes_total', () => compactor.counts.movedBytes)
  metrics.read('sheaf_compaction_freed_bytes_total', () => compactor.counts.freedBytes)
  metrics.read('sheaf_scrub_age_seconds', () => {
    const progress = scrubber.progress()
    if (progress === undefined) return undefined
    const { completedAtMs } = progress
    return seconds(completedAtMs === undefined ? age.now() : Math.max(0, clock.now() - completedAtMs))
  })
  metrics.read('sheaf_scrub_progress_ratio', () => scrubber.progress()?.ratio)
  metrics.read('sheaf_laid_out_photos', () => laidOut.size)
  metrics.read('sheaf_graves_written_total', () => sweep.buriedCount)
  metrics.read('sheaf_purged_to_age_seconds', () => {
    const purgedToMs = services.local.purgedToMs()
    return purgedToMs === undefined ? undefined : seconds(Math.max(0, clock.now() - purgedToMs))
  })
  const disk = onceAScrape(clock, space)
  metrics.read('sheaf_disk_free_bytes', async () => (await disk()).freeBytes)
  metrics.read('sheaf_disk_total_bytes', async () => (await disk()).totalBytes)
}

function describeCluster({ metrics, services, clock, refusals }: NodeMetricsComponents): void {
  const { cluster, local } = services
  if (cluster === undefined) return
  const { membership, gossip, antiEntropy, underReplication } = cluster
  // one member describes itself with a digest over its volumes
  const members = onceAScrape(clock, () => membership.members())
  metrics.read('sheaf_connections_refused_total', () => {
    const counts = new Map(refusals())
    for (const [code, count] of cluster.refusals) counts.set(code, (counts.get(code) ?? 0) + count)
    return Array.from(counts, ([code, count]) => sample(count, { code }))
  })
  metrics.read('sheaf_dials_begun_total', () => cluster.dials.begun)
  metrics.read('sheaf_dials_succeeded_total', () => cluster.dials.succeeded)
  metrics.read('sheaf_gossip_records_sent_total', () => gossip.counts.published)
  metrics.read('sheaf_gossip_records_merged_total', () => gossip.counts.merged)
  metrics.read('sheaf_gossip_records_dropped_total', () => gossip.counts.dropped)
  metrics.read('sheaf_gossip_messages_refused_total', () => gossip.counts.refused)
  const lag = metrics.histogram('sheaf_gossip_lag_seconds')
  local.directory.onChange(changes => {
    for (const { after, volumes } of changes) {
      // what a needle brings is not news by gossip
      if (after === undefined || volumes.length > 0) continue
      lag.observe(seconds(Math.max(0, clock.now() - hlcMs(shownVersion(after).hlc))))
    }
  })
  metrics.read('sheaf_antientropy_rounds_total', () => {
    const { complete, cutShort, failed } = antiEntropy.counts
    return Object.entries({ complete, cut_short: cutShort, failed }).map(([outcome, n]) => sample(n, { outcome }))
  })
  metrics.read('sheaf_antientropy_records_total', () => {
    const { changedHere, changedThere } = antiEntropy.counts
    return [sample(changedHere, { side: 'here' }), sample(changedThere, { side: 'there' })]
  })
  metrics.read('sheaf_antientropy_last_round_age_seconds', () => seconds(antiEntropy.lastRoundAgeMs))
  metrics.read('sheaf_oldest_unreplicated_age_seconds', () => seconds(cluster.oldestUnreplicatedMs(members()) ?? 0))
  const onTooFewDisks = onceAScrape(clock, () => underReplication.count())
  metrics.read('sheaf_under_replicated_volumes', () => onTooFewDisks().volumes)
  metrics.read('sheaf_under_replicated_bytes', () => onTooFewDisks().bytes)
  const repair = onceAScrape(clock, () => cluster.shipping.progress())
  metrics.read('sheaf_repair_backlog_bytes', () => repair().backlogBytes)
  metrics.read('sheaf_repair_bytes_per_second', () => repair().bytesPerSecond)
  metrics.read('sheaf_repair_eta_seconds', () => repair().etaS)
  const others = (): readonly MemberView[] => members().filter(({ self, state }) => !self && state !== 'left')
  const ofOthers = (value: (member: MemberView) => number | undefined): Sample[] =>
    others().flatMap(member => {
      const known = value(member)
      return known === undefined ? [] : [sample(known, { peer: member.id, name: member.name })]
    })
  metrics.read('sheaf_members', () => byState(members(), ['alive', 'via', 'suspect', 'down', 'left']))
  metrics.read('sheaf_member_up', () => ofOthers(({ state }) => Number(isPresent(state))))
  metrics.read('sheaf_member_info', () =>
    others().map(({ id, name, heartbeat }) => sample(1, { peer: id, name, version: heartbeat?.version ?? '' }))
  )
  metrics.read('sheaf_member_lag_bytes', () => ofOthers(({ id }) => cluster.lagBytes(id)))
  metrics.read('sheaf_member_clock_skew_seconds', () => ofOthers(({ clockSkewMs }) => secondsIfKnown(clockSkewMs)))
}

function describeSafekeeping({ metrics, services, clock, certificateEndsAtMs }: NodeMetricsComponents): void {
  const { archiving, backup } = services
  if (archiving !== undefined) {
    const status = onceAScrape(clock, () => archiving.status())
    metrics.read('sheaf_archive_usable', () => {
      const { state, seenAtMs } = status()
      if (state === 'failing') return 0
      return seenAtMs === undefined ? undefined : 1
    })
    metrics.read('sheaf_archive_behind_bytes', () => status().behindBytes)
    metrics.read('sheaf_archive_behind_age_seconds', () => seconds(status().behindMs))
  }
  metrics.read('sheaf_backup_success_time_seconds', () => secondsIfKnown(backup?.succeededAtMs))
  metrics.read('sheaf_backup_failure_time_seconds', () => secondsIfKnown(backup?.failedAtMs))
  metrics.read('sheaf_certificate_end_time_seconds', () => secondsIfKnown(certificateEndsAtMs()))
}

function describeSimilarity({ metrics, services: { similarity } }: NodeMetricsComponents): void {
  if (similarity === undefined) return
  metrics.read('sheaf_index_vectors', () => similarity.status().vectors)
  metrics.read('sheaf_index_pending', () => similarity.status().pending)
  metrics.read('sheaf_index_left_out_shards', () => similarity.status().shardsLeftOut)
  metrics.read('sheaf_index_coverage_ratio', () => similarity.coverage())
}

function describeProcess(
  { metrics, services, clock }: NodeMetricsComponents,
  { nodeId, version }: NodeMetricsInit,
  unready: () => SheafError | undefined
): void {
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
  metrics.read('sheaf_event_loop_delay_seconds', () => {
    const isFirst = loop.enable()
    const samples = QUANTILES.map(quantile =>
      sample(loopDelay(loop.percentile(quantile * 100)), { quantile: `${quantile}` })
    )
    loop.reset()
    return isFirst ? undefined : samples
  })
  metrics.read('sheaf_memory_bytes', () => {
    const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
    const needleIndex = services.local.volumes.index.byteLength
    const parts = {
      resident: rss,
      heap_used: heapUsed,
      heap_free: heapTotal - heapUsed,
      external: external - arrayBuffers,
      buffers: arrayBuffers - needleIndex,
      needle_index: needleIndex
    }
    return Object.entries(parts).map(([part, bytes]) => sample(Math.max(0, bytes), { part }))
  })
  metrics.read('sheaf_cpu_seconds_total', () => {
    const { user, system } = process.cpuUsage()
    return [sample(user / 1e6, { mode: 'user' }), sample(system / 1e6, { mode: 'system' })]
  })
  const startedAtMs = clock.now() - process.uptime() * 1_000
  metrics.read('sheaf_start_time_seconds', () => startedAtMs / 1_000)
  metrics.read('sheaf_ready', () => Number(unready() === undefined))
  metrics.read('sheaf_build_info', () => {
    const format = services.cluster?.format.current ?? services.local.directory.formats.min
    return [sample(1, { version, record_format: String(format), node: nodeId })]
  })
}

/** @returns how many are in each state, 0 included */
function byState<State extends string>(all: readonly { readonly state: State }[], states: readonly State[]): Sample[] {
  return states.map(state => sample(all.filter(one => one.state === state).length, { state }))
}

/** @returns the same, for all metrics that are read from it */
function onceAScrape<Value>(clock: Clock, read: () => Value): () => Value {
  let latest: { readonly atMs: number; readonly value: Value } | undefined
  return () => {
    const atMs = clock.monotonic()
    if (latest === undefined || atMs - latest.atMs >= SCRAPE_MS) latest = { atMs, value: read() }
    return latest.value
  }
}

/** The timer's own interval is part of what it measures. @returns s */
function loopDelay(ns: number): number {
  return Math.max(0, ns / NS_PER_S - LOOP_RESOLUTION_MS / 1_000)
}

function seconds(ms: number): number {
  return ms / 1_000
}

function secondsIfKnown(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : seconds(ms)
}

function sample(value: number, labels: Sample['labels']): Sample {
  return { labels, value }
}
