import type { ErrorCode } from '../../../core/errors.js'
import type { Needs } from '../../../domain/rights.js'
import { array, BYTES, COUNT, json, nullable, object, problems, type Schema, TEXT, TIME } from './common.js'
import { PHOTO_RECORD } from './photo-schemas.js'

const OK = json('ok', object({ status: { type: 'string', const: 'ok' } }))
const TAGS = ['node']

export const VOLUME = object({
  logical_volume: TEXT,
  state: { type: 'string', enum: ['active', 'closed', 'failed'] },
  head: object({
    length: BYTES,
    digest: { ...TEXT, description: 'chained digest of the needles up to this length, hex' }
  }),
  size_bytes: BYTES,
  capacity_bytes: BYTES,
  needles: COUNT,
  live_bytes: BYTES,
  dead_bytes: BYTES,
  holes: array(object({ from: BYTES, to: BYTES, reason: { type: 'string', enum: ['corrupt', 'unreadable'] } })),
  copies: { ...COUNT, description: 'nodes in reach that are known to hold all of it, this one included' }
})

const JOB_FIELDS = {
  job_id: TEXT,
  kind: TEXT,
  state: { type: 'string', enum: ['queued', 'running', 'done', 'failed', 'cancelled'] },
  progress: nullable(object({ done: COUNT, total: nullable(COUNT), unit: TEXT })),
  stoppable: { type: 'boolean', description: 'whether DELETE ends it' },
  created_at: TIME,
  finished_at: nullable(TIME),
  error: nullable(object({ code: TEXT, message: TEXT }))
}
export const JOB_STATE = object(JOB_FIELDS)
export const JOB = object({
  ...JOB_FIELDS,
  result: { description: 'the result of the work, once done; of one that was stopped, what was done until then' }
})

const JOB_PARAMS = object({ id: { ...TEXT, minLength: 1, description: 'job_id of the job' } })

export const JOB_ANSWER: Schema = json('the job', JOB, { Location: TEXT })

export const healthSchema: Schema = {
  summary: 'Whether the process is running',
  tags: TAGS,
  rights: { needs: [] },
  response: { 200: OK }
}

export const readySchema: Schema = {
  summary: 'Whether the node can serve: the log has been replayed and the disk works',
  tags: TAGS,
  rights: { needs: [] },
  response: {
    200: OK,
    ...problems('ERR_DIRECTORY_UNAVAILABLE', 'ERR_DISK_WRITE', 'ERR_DISK_READ', 'ERR_DISK_FULL', 'ERR_FORMAT_TOO_NEW')
  }
}

export const statusSchema: Schema = {
  summary: 'Key figures of this node',
  tags: TAGS,
  rights: { needs: ['watch'] },
  response: {
    200: json(
      'now',
      object(
        {
          node_id: TEXT,
          version: TEXT,
          photos: COUNT,
          bytes: BYTES,
          volumes: COUNT,
          directory_digest: TEXT,
          newer_format_records: {
            ...COUNT,
            description: 'records of a later format: kept, but not shown before this node is upgraded'
          },
          damaged_bytes: { ...BYTES, description: 'bytes that cannot be read' },
          disk: object({ free_bytes: BYTES, total_bytes: BYTES }),
          model: nullable({ ...TEXT, description: 'the model whose vectors are compared; null: none yet' }),
          model_id: nullable(TEXT),
          index: object({
            vectors: { ...COUNT, description: 'photos whose vectors are on this node' },
            pending: { ...COUNT, description: 'photos not yet analyzed or indexed' },
            shards_left_out: {
              ...COUNT,
              description:
                'of 64 parts of all photos, those that this node does not search, for lack of memory for vectors'
            }
          }),
          tools: {
            type: 'array',
            items: TEXT,
            description: 'what this node decodes pictures with beside what every node has; heif: HEIC; ffmpeg: videos'
          },
          repair: object({ backlog_bytes: BYTES, bytes_per_s: BYTES, eta_s: nullable(COUNT) }),
          oldest_unreplicated_s: {
            ...nullable(COUNT),
            description: 'age of the oldest bytes that no other node has'
          }
        },
        ['model', 'model_id', 'index', 'tools', 'repair', 'oldest_unreplicated_s']
      )
    ),
    ...problems('ERR_DIRECTORY_UNAVAILABLE')
  }
}

export const cacheStatsSchema: Schema = {
  summary: 'The cache of bytes that other nodes sent',
  tags: TAGS,
  rights: { needs: ['watch'] },
  response: {
    200: json(
      'since the process started',
      object({
        items: { ...COUNT, description: 'photos of which bytes are kept' },
        bytes: BYTES,
        max_bytes: BYTES,
        ttl_s: { ...COUNT, description: 'how long bytes are kept at most, seconds' },
        hits: { ...COUNT, description: 'reads from the cache' },
        misses: { ...COUNT, description: 'reads from other nodes' }
      })
    )
  }
}

export const volumesSchema: Schema = {
  summary: 'Volumes on this node',
  tags: TAGS,
  rights: { needs: ['watch'] },
  response: { 200: json('all volumes of this node', object({ volumes: array(VOLUME) })), ...problems('ERR_DISK_READ') }
}

export const volumeStatsSchema: Schema = {
  summary: 'One volume on this node',
  tags: TAGS,
  rights: { needs: ['watch'] },
  params: object({ lv: { ...TEXT, minLength: 1, description: 'logical volume', examples: ['9a3f6c01d27be845-1'] } }),
  response: { 200: json('the volume', VOLUME), ...problems('ERR_NO_SUCH_VOLUME', 'ERR_DISK_READ') }
}

/** Parameters of the work that has some. */
const ADMIN_QUERIES: Readonly<Record<string, Schema>> = {
  verify: object({ all_peers: { type: 'boolean', description: 'also compare with every other member' } }, [
    'all_peers'
  ]),
  compact: object(
    {
      now: {
        type: 'boolean',
        default: false,
        description: 'also drop what was deleted a moment ago, so that it cannot be had back'
      }
    },
    ['now']
  )
}

/** What may start work. */
const ADMIN_RIGHTS: Readonly<Record<string, Needs>> = {
  compact: { needs: ['maintain'], with: { now: ['operate'] } },
  'rebuild-directory': { needs: ['operate'] },
  leave: { needs: ['operate'] },
  'archive/restore': { needs: ['operate'] }
}

/** @param codes - of problems that the work has beside the usual ones */
export function adminSchema(name: string, ...codes: readonly ErrorCode[]): Schema {
  return {
    summary: `Starts ${name}, unless it is running`,
    tags: ['admin'],
    rights: ADMIN_RIGHTS[name] ?? { needs: ['maintain'] },
    ...(ADMIN_QUERIES[name] && { querystring: ADMIN_QUERIES[name] }),
    response: { 202: JOB_ANSWER, ...problems(...codes) }
  }
}

export const jobSchema: Schema = {
  summary: 'State and progress of a job, for whoever knows its id',
  tags: ['admin'],
  rights: { needs: ['jobs'] },
  params: JOB_PARAMS,
  response: { 200: json('the job', JOB), ...problems('ERR_NO_SUCH_JOB') }
}

export const stopJobSchema: Schema = {
  summary: 'Lets a job end that can be stopped',
  description: 'What it has done stays done. Harmless for one that has ended.',
  tags: ['admin'],
  rights: { needs: ['jobs'] },
  params: JOB_PARAMS,
  response: {
    202: json('the job, which ends soon', JOB),
    ...problems('ERR_NO_SUCH_JOB', 'ERR_JOB_NOT_STOPPABLE')
  }
}

export const jobsSchema: Schema = {
  summary: 'The jobs of this process, newest first: 100, or as many as run',
  description: 'Without their results, which each job has.',
  tags: ['admin'],
  rights: { needs: ['watch'] },
  response: { 200: json('jobs', object({ jobs: array(JOB_STATE) })) }
}

export const metricsSchema: Schema = {
  summary: 'Metrics in the text format of Prometheus',
  tags: TAGS,
  response: {
    200: { description: 'format 0.0.4', content: { 'text/plain': { schema: { type: 'string' } } } },
    ...problems('ERR_METRICS_TOKEN')
  }
}

export const dumpSchema: Schema = {
  summary: 'A snapshot of all live records, one JSON object per line',
  tags: TAGS,
  rights: { needs: ['read'] },
  response: {
    200: { description: 'a stream', content: { 'application/x-ndjson': { schema: PHOTO_RECORD } } },
    ...problems('ERR_DIRECTORY_UNAVAILABLE', 'ERR_OVERLOADED')
  }
}
