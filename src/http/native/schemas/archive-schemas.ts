import { BYTES, COUNT, json, nullable, object, problems, type Schema, TEXT, TIME } from './common.js'
import { JOB_ANSWER } from './node-schemas.js'

export const archiveSchema: Schema = {
  summary: 'How far the volumes of this node are archived',
  tags: ['admin'],
  rights: { needs: ['watch'] },
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
    ...problems('ERR_NO_ARCHIVE')
  }
}

export const backupSchema: Schema = {
  summary: 'Backs this node up, or looks after its backup',
  tags: ['admin'],
  rights: { needs: ['operate'] },
  body: object(
    {
      target: {
        type: 'string',
        minLength: 1,
        maxLength: 4_096,
        pattern: '^(s3://.|/)[^\\0]*$',
        description:
          's3://BUCKET/PREFIX, or the absolute path of a folder on the machine of the node; neither in its data folder nor the ' +
          'archive of the cluster',
        examples: ['/mnt/backup/sheaf']
      },
      action: { type: 'string', enum: ['run', 'verify', 'prune'], default: 'run' }
    },
    ['action']
  ),
  response: { 202: JOB_ANSWER, ...problems('ERR_NO_ARCHIVE', 'ERR_NOT_FOUND') }
}
