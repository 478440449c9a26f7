import { array, json, object, PHOTO_ID, problems, type Schema, TEXT, TIME } from './common.js'

/** Events that `/events/recent` answers, unless said. */
export const RECENT_DEFAULT = 50

export const eventsSchema: Schema = {
  summary: 'Events of the cluster, as server-sent events',
  description:
    'Types: photo.uploaded (also after an undelete), photo.updated, photo.deleted, photo.conflict (two nodes have changed it ' +
    'without knowing of each other, the first time) with data {photo_id, at}; member.up, member.down, repair.done with data {node_id, at}; job.progress of a job of this node with data {job_id, kind, state, ' +
    'progress, at}, at once when its state changes, else once a second; index.progress of this node with data {indexed, pending, at}, once a second ' +
    'while they change: photos that it searches, and those yet to come. `at` is when this node learned of it. Ids are valid ' +
    'only on the node that issued them. `reset` means that events were lost: read everything again. While nothing happens, ' +
    'a comment is sent every 15 s.',
  tags: ['node'],
  rights: { needs: ['read'] },
  querystring: object(
    {
      bursts: {
        type: 'boolean',
        default: false,
        description:
          'for pages: events come at most four times a second, and more than 8 changes of photos at a time as one ' +
          'photos.changed with data {count, at}'
      }
    },
    ['bursts']
  ),
  headers: {
    type: 'object',
    properties: { 'last-event-id': { ...TEXT, description: 'resume after this event' } }
  },
  response: {
    200: { description: 'an endless stream', content: { 'text/event-stream': { schema: TEXT } } },
    ...problems('ERR_OVERLOADED')
  }
}

export const EVENT = object(
  {
    id: { ...TEXT, description: 'as in /events' },
    type: {
      type: 'string',
      enum: [
        'photo.uploaded',
        'photo.updated',
        'photo.deleted',
        'photo.conflict',
        'member.up',
        'member.down',
        'repair.done'
      ]
    },
    photo_id: PHOTO_ID,
    node_id: TEXT,
    at: TIME
  },
  ['photo_id', 'node_id']
)

export const recentEventsSchema: Schema = {
  summary: 'What happened last to photos and members, newest first, as far as this process remembers',
  description: 'At most 10,000 are kept. `at` is when this node learned of it.',
  tags: ['node'],
  rights: { needs: ['read'] },
  querystring: object(
    { limit: { type: 'integer', minimum: 1, maximum: 1_000, default: RECENT_DEFAULT, description: 'so many at most' } },
    ['limit']
  ),
  response: {
    200: json(
      'events',
      object({
        events: array(EVENT)
      })
    )
  }
}
