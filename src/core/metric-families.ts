/** One name in `GET /metrics` with all its series. */
export interface MetricFamily {
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** What is counted, in words; units are in the name. */
  readonly help: string
  /** Every series has these; the values of each are few, and known beforehand or those of members. */
  readonly labels?: readonly string[]
  /** Upper bounds of a histogram's buckets, rising. */
  readonly buckets?: readonly number[]
}

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
const SYNC_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2]
const ARRIVAL_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, 3600]
const NEEDLES = [1, 2, 4, 8, 16, 32, 64, 128, 300]

/**
 * Every metric of a node, in the order of `GET /metrics`. `npm run docs` writes them into `docs/reference/metrics.md`. A
 * gauge that is not known, as on a node without peers, is left out of an answer.
 */
export const METRICS = {
  // requests of clients
  sheaf_http_requests_total: {
    type: 'counter',
    help: 'Requests answered, by path as in the API, method and class of status; cut: the connection ended before',
    labels: ['route', 'method', 'status']
  },
  sheaf_http_request_duration_seconds: {
    type: 'histogram',
    help: 'From the head of a request to the end of its answer',
    labels: ['route'],
    buckets: REQUEST_SECONDS
  },
  sheaf_http_requests_in_flight: { type: 'gauge', help: 'Requests begun and not ended, followers of events included' },
  sheaf_http_problems_total: {
    type: 'counter',
    help: 'Requests refused or failed, by the code of the problem',
    labels: ['code']
  },
  // requests between nodes
  sheaf_rpc_requests_total: {
    type: 'counter',
    help: 'Requests of peers answered here',
    labels: ['method', 'outcome']
  },
  sheaf_rpc_request_duration_seconds: {
    type: 'histogram',
    help: 'How long a request of a peer took here',
    labels: ['method'],
    buckets: REQUEST_SECONDS
  },
  sheaf_rpc_requests_in_flight: { type: 'gauge', help: 'Requests of peers that are being answered' },
  sheaf_rpc_refused_total: {
    type: 'counter',
    help: 'Requests of peers refused or failed here, by the code of the error',
    labels: ['code']
  },
  sheaf_rpc_calls_total: {
    type: 'counter',
    help: 'Requests sent to peers',
    labels: ['method', 'outcome']
  },
  sheaf_rpc_call_duration_seconds: {
    type: 'histogram',
    help: 'How long the answer of a peer took to come, whole',
    labels: ['method'],
    buckets: REQUEST_SECONDS
  },
  sheaf_peer_sent_bytes_total: {
    type: 'counter',
    help: 'Bodies of requests, answers and streams sent to a connected peer; gossip not included',
    labels: ['peer']
  },
  sheaf_peer_received_bytes_total: {
    type: 'counter',
    help: 'Bodies of requests, answers and streams received from a connected peer; gossip not included',
    labels: ['peer']
  },
  sheaf_connections_refused_total: {
    type: 'counter',
    help: 'Connections with nodes refused, by reason: cluster or key, version, removed',
    labels: ['code']
  },
  sheaf_dials_begun_total: { type: 'counter', help: 'Dials of other nodes' },
  sheaf_dials_succeeded_total: { type: 'counter', help: 'Those that reached another node, be it connected already' },
  // gossip and anti-entropy
  sheaf_gossip_messages_total: {
    type: 'counter',
    help: 'Messages published and received by gossip',
    labels: ['topic', 'direction']
  },
  sheaf_gossip_bytes_total: {
    type: 'counter',
    help: 'Bodies of the messages published and received by gossip',
    labels: ['topic', 'direction']
  },
  sheaf_gossip_records_sent_total: { type: 'counter', help: 'Records published' },
  sheaf_gossip_records_merged_total: { type: 'counter', help: 'Records received by gossip and merged, changed or not' },
  sheaf_gossip_records_dropped_total: {
    type: 'counter',
    help: 'Records of this node that were not published: the queue was full, or they are too large'
  },
  sheaf_gossip_messages_refused_total: {
    type: 'counter',
    help: 'Messages received and not merged: malformed, too many, or the directory was unavailable'
  },
  sheaf_gossip_lag_seconds: {
    type: 'histogram',
    help: 'Age of a change of another node when gossip, or the comparison of directories, brought it; by the clock of its writer',
    buckets: ARRIVAL_SECONDS
  },
  sheaf_antientropy_rounds_total: {
    type: 'counter',
    help: 'Comparisons of the directory with that of a peer, begun here',
    labels: ['outcome']
  },
  sheaf_antientropy_records_total: {
    type: 'counter',
    help: 'Records that comparisons changed here and at the peer',
    labels: ['side']
  },
  sheaf_antientropy_last_round_age_seconds: {
    type: 'gauge',
    help: 'Since the directory was last found equal to that of a peer, or compared as a whole; at first since the start'
  },
  // copies
  sheaf_oldest_unreplicated_age_seconds: {
    type: 'gauge',
    help: 'Age of the oldest bytes written here that no other node is known to have; 0: there are none'
  },
  sheaf_under_replicated_volumes: {
    type: 'gauge',
    help: 'Volumes here with bytes older than 5 minutes on fewer than min(2, present members) disks'
  },
  sheaf_under_replicated_bytes: { type: 'gauge', help: 'Their bytes that are on too few disks' },
  sheaf_repair_backlog_bytes: { type: 'gauge', help: 'Bytes that a peer holds and this node lacks, holes included' },
  sheaf_repair_bytes_per_second: { type: 'gauge', help: 'How fast they arrive' },
  sheaf_repair_eta_seconds: { type: 'gauge', help: 'How long the rest takes at this rate; absent while nothing comes' },
  // members
  sheaf_members: {
    type: 'gauge',
    help: 'Members of the cluster as seen from here, this node included',
    labels: ['state']
  },
  sheaf_member_up: {
    type: 'gauge',
    help: '1: the other member is present; 0: it is suspect or down. Those that left are not listed',
    labels: ['peer', 'name']
  },
  sheaf_member_info: {
    type: 'gauge',
    help: '1 for each other member, with the version that it runs',
    labels: ['peer', 'name', 'version']
  },
  sheaf_member_lag_bytes: {
    type: 'gauge',
    help: 'Bytes that this node holds and the other member lacks',
    labels: ['peer', 'name']
  },
  sheaf_member_clock_skew_seconds: {
    type: 'gauge',
    help: 'How far the clock of the other member is ahead of that of this node',
    labels: ['peer', 'name']
  },
  // photos and volumes
  sheaf_photos: { type: 'gauge', help: 'Live photos' },
  sheaf_records_of_later_format: {
    type: 'gauge',
    help: 'Records kept but not shown, because a later version wrote them'
  },
  sheaf_volumes: { type: 'gauge', help: 'Volumes here', labels: ['state'] },
  sheaf_volume_bytes: {
    type: 'gauge',
    help: 'Bytes of the volumes: needed, freed by compaction, and not looked through since the volume last changed',
    labels: ['use']
  },
  sheaf_volume_needles: { type: 'gauge', help: 'Needles in the volumes' },
  sheaf_holes: { type: 'gauge', help: 'Damaged ranges of volumes that are not repaired yet' },
  sheaf_hole_bytes: { type: 'gauge', help: 'Their bytes' },
  sheaf_sync_duration_seconds: {
    type: 'histogram',
    help: 'How long the disk took to make written bytes durable (fdatasync)',
    buckets: SYNC_SECONDS
  },
  sheaf_group_commit_needles: {
    type: 'histogram',
    help: 'Needles that became durable and visible together',
    buckets: NEEDLES
  },
  sheaf_compactions_total: { type: 'counter', help: 'Volumes compacted and removed' },
  sheaf_compaction_moved_bytes_total: { type: 'counter', help: 'Bytes that compaction wrote to other volumes' },
  sheaf_compaction_freed_bytes_total: { type: 'counter', help: 'Bytes of the disk that compaction gave back' },
  sheaf_scrub_age_seconds: {
    type: 'gauge',
    help: 'Since every byte was last found to match its checksum or to be a hole; for a node that never did, its running time'
  },
  sheaf_scrub_progress_ratio: { type: 'gauge', help: 'How far the present pass is; 1 between two passes' },
  sheaf_laid_out_photos: {
    type: 'gauge',
    help: 'Photos that graves have ended here before their time, and that are kept'
  },
  sheaf_graves_written_total: {
    type: 'counter',
    help: 'Deletes that this node shrank to graves after their undo period'
  },
  sheaf_purged_to_age_seconds: {
    type: 'gauge',
    help: 'Age of the oldest grave whose photo may still have a needle here; absent while that is not known'
  },
  sheaf_disk_free_bytes: { type: 'gauge', help: 'Free space of the disk with the data folder' },
  sheaf_disk_total_bytes: { type: 'gauge', help: 'Size of the disk with the data folder' },
  // archive, backup, certificate
  sheaf_archive_usable: {
    type: 'gauge',
    help: '1: the archive could be used the last time; 0: it could not. Absent without one, and before the first time is over'
  },
  sheaf_archive_behind_bytes: {
    type: 'gauge',
    help: 'Bytes of the volumes here that are not archived; absent without an archive'
  },
  sheaf_archive_behind_age_seconds: {
    type: 'gauge',
    help: 'How long the oldest of them have been known, as of the last look; absent without an archive'
  },
  sheaf_backup_success_time_seconds: {
    type: 'gauge',
    help: 'When the last backup that has everything ended, since the Unix epoch; absent before the first of this process'
  },
  sheaf_backup_failure_time_seconds: {
    type: 'gauge',
    help: 'When the last backup that failed or lacks something ended, since the Unix epoch; absent before the first of this process'
  },
  sheaf_certificate_end_time_seconds: {
    type: 'gauge',
    help: 'Up to when the TLS certificate in use is valid, since the Unix epoch; absent without HTTPS'
  },
  // search
  sheaf_index_vectors: { type: 'gauge', help: 'Photos whose vectors are on this node' },
  sheaf_index_pending: { type: 'gauge', help: 'Photos not yet analyzed or indexed' },
  sheaf_index_left_out_shards: {
    type: 'gauge',
    help: 'Shards that this node should search and leaves out, since their vectors do not fit into its memory'
  },
  sheaf_index_coverage_ratio: {
    type: 'gauge',
    help: 'Share of the shards that some present member has whole; absent without a model'
  },
  // the process
  sheaf_event_loop_delay_seconds: {
    type: 'gauge',
    help: 'Delay of the event loop since the last scrape',
    labels: ['quantile']
  },
  sheaf_memory_bytes: {
    type: 'gauge',
    help: 'Memory of the process by part; resident is all of it',
    labels: ['part']
  },
  sheaf_cpu_seconds_total: {
    type: 'counter',
    help: 'CPU time of the process, without the one that looks at images',
    labels: ['mode']
  },
  sheaf_start_time_seconds: { type: 'gauge', help: 'When the process started, since the Unix epoch' },
  sheaf_ready: { type: 'gauge', help: '1: the node can serve; 0: it cannot, as /health/ready says' },
  sheaf_build_info: {
    type: 'gauge',
    help: '1, with the version of the program, the record format of the cluster and the id of the node',
    labels: ['version', 'record_format', 'node']
  },
  sheaf_scrape_faults_total: { type: 'counter', help: 'Metrics left out of an answer because reading them failed' }
} as const satisfies Readonly<Record<string, MetricFamily>>

export type MetricName = keyof typeof METRICS

type NamesOf<Type extends MetricFamily['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never
}[MetricName]

export type CounterName = NamesOf<'counter'>
export type HistogramName = NamesOf<'histogram'>
