import {
  array,
  BYTES,
  COUNT,
  json,
  nullable,
  object,
  problems,
  RECORD_WRITE,
  type Schema,
  TEXT,
  TIME
} from './common.js'

export const MEMBER = object({
  id: { ...TEXT, description: 'node id: the libp2p peer ID of its key' },
  name: TEXT,
  addresses: array({ ...TEXT, description: 'multiaddr' }),
  self: { type: 'boolean', description: 'whether this is the answering node' },
  state: {
    type: 'string',
    enum: ['alive', 'via', 'suspect', 'down', 'left'],
    description:
      'via: not connected to the answering node, but reached through another one; left: no longer a member, because it left or an operator removed it'
  },
  last_seen: { ...nullable(TIME), description: 'when the answering process last heard from it; null if never' },
  joined_at: { ...nullable(TIME), description: 'when it first met another node, by its own clock' },
  lag_bytes: { ...nullable(BYTES), description: 'bytes that the cluster holds and this node lacks; null if unknown' },
  disk: nullable(
    object({
      free_bytes: BYTES,
      total_bytes: BYTES,
      full: { type: 'boolean', description: 'whether it takes no uploads and no copies, for want of space' }
    })
  ),
  version: nullable(TEXT),
  record_formats: {
    ...nullable(array({ type: 'integer' })),
    description: 'the least and the greatest record format that it reads; null if it never said'
  },
  clock_skew_ms: { type: ['integer', 'null'], description: 'how far its clock was ahead of the answering node’s' },
  purged_to: {
    ...nullable(TIME),
    description:
      'it has no needle of a photo whose grave it heard of before this, laid-out ones excepted; null if not known'
  },
  http: array(
    { ...TEXT, examples: ['http://10.0.0.7:8000'] },
    { description: 'origins under which browsers may reach it, best first, as it says: see --advertise-http' }
  ),
  started_at: { ...nullable(TIME), description: 'when its process started, by its own clock' },
  photos: { ...nullable(COUNT), description: 'in its directory' },
  directory_digest: { ...nullable(TEXT), description: 'equal on two nodes that know the same of all records' },
  bytes_per_s: { ...nullable(BYTES), description: 'what it takes in of other nodes; null if it is not in reach' },
  eta_s: { ...nullable(COUNT), description: 'seconds until it has what it lacks, as it says; null if it cannot tell' }
})

const LAID_OUT_COUNT = object({
  from: { ...nullable(TEXT), description: 'the node whose graves these were; null if not known' },
  count: COUNT,
  until: { ...nullable(TIME), description: 'about when the first of them is let go; null during an alarm' }
})

const FORMAT: Schema = {
  type: 'integer',
  description: 'the greatest record format that may be written: it rises when all members read more'
}

export const clusterSchema: Schema = {
  summary: 'The members of the cluster, as seen from this node',
  tags: ['node'],
  rights: { needs: ['watch'] },
  response: {
    200: json(
      'members, this node included',
      object({
        members: array(MEMBER),
        record_format: FORMAT,
        purged_to: { ...nullable(TIME), description: 'the least of all members; null if one is not known' },
        laid_out: array(LAID_OUT_COUNT, {
          description: 'photos that graves have ended on this node before their time, and that it still keeps'
        }),
        laid_out_alarm: {
          type: 'boolean',
          description: 'they are so many that this node lets none of them go before an operator has looked'
        }
      })
    ),
    ...problems('ERR_DIRECTORY_UNAVAILABLE')
  }
}

export const removeMemberSchema: Schema = {
  summary: 'Removes a member that will not come back',
  description: 'Not this node: that is 400, and POST /v1/admin/leave does it.',
  tags: ['admin'],
  rights: { needs: ['operate'] },
  params: object({ id: { ...TEXT, minLength: 1, maxLength: 128, description: 'node id' } }),
  response: {
    200: json('removed', object({ status: { type: 'string', const: 'removed' }, id: TEXT })),
    ...problems('ERR_NO_SUCH_MEMBER', ...RECORD_WRITE)
  }
}
