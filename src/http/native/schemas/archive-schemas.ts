import { BYTES, COUNT, json, nullable, object, problems, type Schema, TEXT, TIME } from './common.js'

export const archiveSchema: Schema = {
  summary: 'How far the volumes of this node are archived',
  tags: ['admin'],
  response: {
    200: json(
      'as of the latest look at the archive',
      object({
        state: { type: 'string', enum: ['new', 'working', 'idle', 'failing'] },
        error: nullable(object({ code: TEXT, message: TEXT })),
        encrypted: { type: 'boolean' },
        volumes: { ...COUNT, description: 'volumes on this node that are not retired' },
        archived_volumes: { ...COUNT, description: 'those of them that are archived up to their end' },
        behind_bytes: { ...BYTES, description: 'bytes of them that are not archived' },
        behind_s: { ...COUNT, description: 'for how long the oldest of these bytes have been waiting' },
        seen_at: { ...nullable(TIME), description: 'when the archive was last found in order' }
      })
    ),
    ...problems(404)
  }
}
