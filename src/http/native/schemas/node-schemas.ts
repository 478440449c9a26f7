import { array, BYTES, COUNT, json, nullable, object, problems, type Schema, TEXT, TIME } from './common.js'
import { PHOTO } from './photo-schemas.js'

const OK = json('yes', object({ status: { type: 'string', const: 'ok' } }))
const TAGS = ['node']

const VOLUME = object({
  logical_volume: TEXT,
  state: { type: 'string', enum: ['active', 'closed', 'failed'] },
  head: object({ length: BYTES, digest: { ...TEXT, description: 'chained digest of the needles up to there, hex' } }),
  size_bytes: BYTES,
  capacity_bytes: BYTES,
  needles: COUNT,
  live_bytes: BYTES,
  dead_bytes: BYTES,
  holes: array(object({ from: BYTES, to: BYTES, reason: { type: 'string', enum: ['corrupt', 'unreadable'] } })),
  copies: COUNT
})

const JOB = object({
  job_id: TEXT,
  kind: TEXT,
  state: { type: 'string', enum: ['queued', 'running', 'done', 'failed', 'cancelled'] },
  progress: nullable(object({ done: COUNT, total: nullable(COUNT), unit: TEXT })),
  created_at: TIME,
  finished_at: nullable(TIME),
  result: { description: 'what the work found or did, once done' },
  error: nullable(object({ code: TEXT, message: TEXT }))
})

export const healthSchema: Schema = { summary: 'The process runs', tags: TAGS, response: { 200: OK } }

export const readySchema: Schema = {
  summary: 'The node serves: the log has been replayed and the disk works',
  tags: TAGS,
  response: { 200: OK, ...problems() }
}

export const statusSchema: Schema = {
  summary: 'This node in numbers',
  tags: TAGS,
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
          damaged_bytes: { ...BYTES, description: 'bytes that no read can use' },
          disk: object({ free_bytes: BYTES, total_bytes: BYTES }),
          model: nullable({ ...TEXT, description: 'whose vectors are compared; null: none yet' }),
          model_id: nullable(TEXT),
          index: object({
            vectors: { ...COUNT, description: 'photos whose vectors are on this node' },
            pending: { ...COUNT, description: 'photos that are still to be looked at or indexed' }
          }),
          repair: object({ backlog_bytes: BYTES, bytes_per_s: BYTES, eta_s: nullable(COUNT) }),
          oldest_unreplicated_s: {
            ...nullable(COUNT),
            description: 'age of the oldest bytes that no other node has yet'
          }
        },
        ['model', 'model_id', 'index', 'repair', 'oldest_unreplicated_s']
      )
    ),
    ...problems()
  }
}

export const volumesSchema: Schema = {
  summary: 'Volumes on this node',
  tags: TAGS,
  response: { 200: json('all of them', object({ volumes: array(VOLUME) })), ...problems() }
}

export const volumeStatsSchema: Schema = {
  summary: 'One volume on this node',
  tags: TAGS,
  params: object({ lv: { ...TEXT, description: 'logical volume' } }),
  response: { 200: json('now', VOLUME), ...problems(404) }
}

const ALL_PEERS = { type: 'boolean', description: 'compare with every other member as well' } as const

export function adminSchema(name: string): Schema {
  return {
    summary: `Starts ${name}, unless it runs already`,
    tags: ['admin'],
    ...(name === 'verify' && { querystring: object({ all_peers: ALL_PEERS }, ['all_peers']) }),
    response: { 202: json('the job', JOB, { Location: { schema: TEXT } }), ...problems() }
  }
}

export const jobSchema: Schema = {
  summary: 'How far a job is',
  tags: ['admin'],
  params: object({ id: TEXT }),
  response: { 200: json('now', JOB), ...problems(404) }
}

export const dumpSchema: Schema = {
  summary: 'Every live record of one moment, one JSON object a line',
  tags: TAGS,
  response: {
    200: { description: 'streamed', content: { 'application/x-ndjson': { schema: object(PHOTO) } } },
    ...problems()
  }
}
