import { LOG_LEVELS } from '../../../core/log.js'
import { json, OPERATOR, object, problems, type Schema } from './common.js'

const LEVEL: Schema = { type: 'string', enum: LOG_LEVELS }

export const logLevelSchema: Schema = {
  summary: 'Changes what the node logs, until it ends',
  tags: ['admin'],
  security: OPERATOR,
  body: object({ level: LEVEL }),
  response: {
    200: json('changed', object({ level: LEVEL, previous: LEVEL })),
    ...problems('ERR_NOT_OPERATOR')
  }
}
