import { problems, type Schema, TEXT } from './common.js'

export const eventsSchema: Schema = {
  summary: 'Events of the cluster, as server-sent events',
  description:
    'Types: photo.uploaded (also after an undelete), photo.updated, photo.deleted with data {photo_id, at}; member.up, ' +
    'member.down, repair.done with data {node_id, at}. `at` is when this node learned of it. Ids are valid only on the node ' +
    'that issued them. `reset` means that events were lost: read everything again. While nothing happens, a comment is ' +
    'sent every 15 s.',
  tags: ['node'],
  headers: {
    type: 'object',
    properties: { 'last-event-id': { ...TEXT, description: 'resume after this event' } }
  },
  response: {
    200: { description: 'an endless stream', content: { 'text/event-stream': { schema: TEXT } } },
    ...problems('ERR_OVERLOADED')
  }
}
