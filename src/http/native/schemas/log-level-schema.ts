import { LOG_LEVELS } from '../../../core/log.js'
import { json, object, type Schema } from './common.js'

const LEVEL: Schema = { type: 'string', enum: LOG_LEVELS }

export const logLevelSchema: Schema = {
  summary: 'Changes what the node logs, until it ends',
  tags: ['admin'],
  rights: { needs: ['operate'] },
  body: object({ level: LEVEL }),
  response: {
    200: json('changed', object({ level: LEVEL, previous: LEVEL }))
  }
}
