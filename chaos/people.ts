import type { HttpClient } from '../test/support/http-client.js'
import { until } from '../test/support/until.js'
import type { ClusterNode } from './drivers/cluster-node.js'

/** The administrator, who gives accounts and sees no photos of others. */
export const ROOT = 'root'
/** Who makes albums and shares them; their accounts stay as they are. */
export const OWNERS: readonly string[] = ['p1', 'p2', 'p3']
/** Whose accounts are changed. */
export const MEMBERS: readonly string[] = ['p4', 'p5', 'p6']
/** Who may be shut out. The first one stays an account that counts, so that there is one to be given roles. */
export const DOOMED: readonly string[] = MEMBERS.slice(1)
/** Who uploads: whose accounts stay open, so that they can read in the end what is theirs. */
export const UPLOADERS: readonly string[] = [...OWNERS, ...MEMBERS].filter(name => !DOOMED.includes(name))

const PASSWORD = 'a long enough password'
const KNOWN_MS_MAX = 60_000

/** Somebody with an account who is logged in. */
export interface Person {
  readonly id: string
  readonly token: string
}

/** By name. */
export type People = ReadonlyMap<string, Person>

/** Makes accounts at the first node, logs all in there, and waits until every node knows that. */
export async function admitPeople(nodes: readonly ClusterNode[]): Promise<People> {
  const [first] = nodes
  const operator = first?.process.operatorToken
  if (first === undefined || operator === undefined) throw new Error('there is no node with an operator')
  const ask = <Shape>(path: string, status: number, body: object, token?: string): Promise<Shape> =>
    first.client.json<Shape>('POST', path, status, {
      body: Buffer.from(JSON.stringify(body)),
      headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) }
    })
  const people = new Map<string, Person>()
  for (const name of [ROOT, ...OWNERS, ...MEMBERS]) {
    const role = name === ROOT ? 'admin' : 'user'
    const { user_id: id } = await ask<{ user_id: string }>(
      '/v1/users',
      201,
      { name, password: PASSWORD, role },
      people.get(ROOT)?.token ?? operator
    )
    const { access_token: token } = await ask<{ access_token: string }>('/v1/tokens', 200, { name, password: PASSWORD })
    people.set(name, { id, token })
  }
  await until('all nodes know who is logged in', KNOWN_MS_MAX, async () => {
    const known = await Promise.all(nodes.flatMap(node => [...people.values()].map(person => knows(node, person))))
    return known.every(isKnown => isKnown)
  })
  for (const node of nodes) node.logIn((people.get(ROOT) as Person).token)
  return people
}

/** @param as - undefined: whoever asks the node where nobody is named */
export function clientAs(node: ClusterNode, people: People | undefined, as: string | undefined): HttpClient {
  if (as === undefined) return node.client
  const person = people?.get(as)
  if (person === undefined) throw new RangeError(`nobody is called ${as} in this run`)
  return node.clientOf(person.token)
}

async function knows({ client }: ClusterNode, { id, token }: Person): Promise<boolean> {
  const { status, body } = await client.request('GET', '/session', { headers: { authorization: `Bearer ${token}` } })
  if (status !== 200) return false
  const { user } = JSON.parse(body.toString()) as { user: { user_id: string } | null }
  return user?.user_id === id
}
