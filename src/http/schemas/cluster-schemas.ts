import { array, BYTES, json, nullable, object, problems, type Schema, TEXT, TIME } from './common.js'

const MEMBER = object({
  id: { ...TEXT, description: 'node id: the libp2p peer id of its key' },
  name: TEXT,
  addresses: array({ ...TEXT, description: 'multiaddr' }),
  self: { type: 'boolean', description: 'whether this is the node that answers' },
  state: { type: 'string', enum: ['alive', 'suspect', 'down'] },
  last_seen: { ...nullable(TIME), description: 'when the answering process last heard it; null if never' },
  joined_at: { ...nullable(TIME), description: 'when it first met another node, by its own clock' },
  lag_bytes: { ...nullable(BYTES), description: 'bytes that the cluster holds and it lacks; null when not known' },
  disk: nullable(object({ free_bytes: BYTES, total_bytes: BYTES })),
  version: nullable(TEXT),
  clock_skew_ms: { type: ['integer', 'null'], description: 'how far its clock was ahead of the answering node’s' }
})

export const clusterSchema: Schema = {
  summary: 'The members of the cluster, as seen from this node',
  tags: ['node'],
  response: { 200: json('this node included', object({ members: array(MEMBER) })), ...problems() }
}
