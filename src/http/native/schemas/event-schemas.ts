import { problems, type Schema, TEXT } from './common.js'

export const eventsSchema: Schema = {
  summary: 'What happens in the cluster, as server-sent events',
  description:
    'Types: photo.uploaded (also after an undelete), photo.updated, photo.deleted with data {photo_id, at}; member.up, ' +
    'member.down, repair.done with data {node_id, at}. `at` is when this node learnt of it. Ids are only good at the node ' +
    'that gave them. `reset` means that events were missed: what the client knows has to be read anew. A comment comes ' +
    'every 15 s when nothing happens.',
  tags: ['node'],
  headers: {
    type: 'object',
    properties: { 'last-event-id': { ...TEXT, description: 'goes on behind this event' } }
  },
  response: {
    200: { description: 'streamed without an end', content: { 'text/event-stream': { schema: TEXT } } },
    ...problems()
  }
}
