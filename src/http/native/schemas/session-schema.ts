import { array, json, object, type Schema, TEXT } from './common.js'

/** What a request may do. */
export const RIGHTS = ['read', 'upload', 'edit', 'delete', 'operate'] as const

export const SESSION = object({
  user: { type: 'null', description: 'there are no accounts' },
  can: array({ type: 'string', enum: RIGHTS }),
  node: { ...object({ id: TEXT, name: TEXT }), description: 'the answering one' },
  nodes: array(object({ id: TEXT, name: TEXT, http: array(TEXT) }), {
    description:
      'the other members that said where browsers find them, those in reach first: for when this node does not answer'
  })
})

export const sessionSchema: Schema = {
  summary: 'Who asks, and what they may do; for pages',
  description:
    'There are no accounts: everybody who reaches the node may do all but what only its operator may, which `operate` ' +
    "stands for. It is there when the request carries the operator's token.",
  tags: ['node'],
  response: {
    200: json('now', SESSION)
  }
}
