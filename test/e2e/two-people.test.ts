import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LabNode } from '../../chaos/drivers/lab-node.js'
import { NetworkLab } from '../../chaos/drivers/network-lab.js'
import { type Colour, colourPicture } from '../support/colour-pictures.js'
import { addColoursModel, COLOURS_MODEL } from '../support/colours-model-folder.js'
import type { HttpClient } from '../support/http-client.js'
import { killAllNodes, sheaf, temporaryFolder } from '../support/node-process.js'
import { SeededRandom } from '../support/seeded-random.js'
import { until } from '../support/until.js'

const HOSTS = 3
const PASSWORD = 'a long enough password'
const SETTLED_MS_MAX = 90_000

/** What somebody is shown at a node. */
interface Sight {
  readonly listed: readonly string[]
  readonly read: readonly string[]
  readonly inAlbum: readonly string[] | number
  /** By a search for all of them; a number: how it is refused. */
  readonly found: readonly string[] | number
}

const obstacle = NetworkLab.obstacle()
if (obstacle !== undefined) process.stderr.write(`\n  SKIPPED: two people on two nodes: ${obstacle}\n\n`)

describe.skipIf(obstacle !== undefined).sequential('two people on two nodes, one of them cut off for a while', () => {
  const lab = new NetworkLab('shfppl', HOSTS, 79)
  const folder = temporaryFolder('two-people')
  const random = new SeededRandom(1)
  const nodes: LabNode[] = []
  const tokens = { anna: '', ben: '' }
  /** Photos by what they are called here. */
  const photos = new Map<string, string>()
  let album = ''

  beforeAll(async () => {
    lab.up()
    const models = await addColoursModel(folder.path)
    const key = join(folder.path, 'cluster.key')
    writeFileSync(key, (await sheaf(['keygen'])).stdout, { mode: 0o600 })
    const settings = ['--cluster-key', key, '--model', COLOURS_MODEL, '--models', models]
    for (let host = 1; host <= HOSTS; host++)
      nodes.push(new LabNode({ lab, host, hosts: HOSTS, folder: folder.path, settings }))
    for (const node of nodes) await node.start()
  })

  afterAll(async () => {
    for (const node of nodes) node.close()
    await killAllNodes()
    lab.down()
    folder.remove()
  })

  const at = (host: number): LabNode => nodes[host - 1] as LabNode
  const as = (name: keyof typeof tokens, host: number): HttpClient => at(host).clientOf(tokens[name])
  const idOf = (name: string): string => photos.get(name) as string

  const send = <Json>(client: HttpClient, method: string, path: string, body: object, status = 200): Promise<Json> =>
    client.json<Json>(method, path, status, {
      body: Buffer.from(JSON.stringify(body)),
      headers: { 'content-type': 'application/json' }
    })

  async function logIn(name: keyof typeof tokens, host: number): Promise<void> {
    const { access_token: token } = await send<{ access_token: string }>(at(host).client, 'POST', '/v1/tokens', {
      name,
      password: PASSWORD
    })
    tokens[name] = token
  }

  async function upload(name: string, colour: Colour, client: HttpClient, isShared = true): Promise<void> {
    const { photo_id: id } = await client.putPhoto(await colourPicture(random, colour), `${name}.png`, 'image/png')
    photos.set(name, id)
    if (isShared) await send(client, 'PATCH', `/photo/${id}/meta`, { albums: { add: [album] } })
  }

  /** @returns names, in their order */
  const named = (ids: readonly string[]): string[] =>
    ids.map(id => [...photos].find(([, own]) => own === id)?.[0] ?? `unknown ${id}`).sort()

  async function sight(who: keyof typeof tokens, host: number): Promise<Sight> {
    const client = as(who, host)
    const { photos: listed, total } = await client.list()
    expect(total).toBe(listed.length)
    const ofAlbum = await client.request('GET', `/v1/albums/${album}`)
    const inAlbum = await client.list(`album=${album}`)
    const search = await client.request('GET', '/search?q=photo&k=100')
    const reads = await Promise.all([...photos.values()].map(async id => [id, await client.photo(id)] as const))
    return {
      listed: named(listed.map(({ photo_id }) => photo_id)),
      read: named(reads.flatMap(([id, { status }]) => (status === 404 ? [] : [id]))),
      inAlbum: ofAlbum.status === 200 ? named(inAlbum.photos.map(({ photo_id }) => photo_id)) : ofAlbum.status,
      found: search.status === 200 ? named(resultsOf(search.body)) : search.status
    }
  }

  /** @param inAlbum - what is shown of the album; a number: how it is refused */
  async function untilSees(
    who: keyof typeof tokens,
    hosts: readonly number[],
    names: readonly string[],
    inAlbum: readonly string[] | number
  ): Promise<void> {
    const all = names.toSorted()
    const wanted: Sight = { listed: all, read: all, inAlbum, found: all }
    for (const host of hosts) {
      let seen = await sight(who, host)
      const settled = until(`${who} sees at n${host} what is open`, SETTLED_MS_MAX, async () => {
        seen = await sight(who, host)
        return isDeepStrictEqual(seen, wanted)
      })
      await settled.catch((err: unknown) => {
        expect(seen, String(err)).toEqual(wanted)
        throw err
      })
    }
  }

  const everywhere = [1, 2, 3]

  it('share an album, upload into it and search it, each at his own node', async () => {
    const operator = at(1).process.operatorToken as string
    const asOperator = at(1).clientOf(operator)
    for (const [name, role] of [
      ['root', 'admin'],
      ['anna', 'user'],
      ['ben', 'user']
    ])
      await send(asOperator, 'POST', '/v1/users', { name, role, password: PASSWORD }, 201)
    await logIn('anna', 1)
    await until('n2 knows Ben', SETTLED_MS_MAX, async () => {
      const { status } = await at(2).client.request('POST', '/v1/tokens', {
        body: Buffer.from(JSON.stringify({ name: 'ben', password: PASSWORD })),
        headers: { 'content-type': 'application/json' }
      })
      return status === 200
    })
    await logIn('ben', 2)
    album = (await send<{ album_id: string }>(as('anna', 1), 'POST', '/v1/albums', { title: 'Meer' }, 201)).album_id
    await send(as('anna', 1), 'PUT', `/v1/albums/${album}/shares/ben`, { role: 'contributor' })
    await upload('of anna', 'red', as('anna', 1))
    await upload('private', 'red', as('anna', 1), false)
    await untilSees('ben', [2], ['of anna'], ['of anna'])
    await upload('of ben', 'green', as('ben', 2))
    await untilSees('ben', everywhere, ['of anna', 'of ben'], ['of anna', 'of ben'])
    await untilSees('anna', everywhere, ['of anna', 'of ben', 'private'], ['of anna', 'of ben'])
  })

  it('go on while Ben’s node is cut off; there the album is open to him until it hears otherwise', async () => {
    await lab.partition([1, 3], [2])
    await upload('of ben, cut off', 'green', as('ben', 2))
    await upload('of anna, meanwhile', 'blue', as('anna', 1))
    expect((await as('anna', 1).request('DELETE', `/v1/albums/${album}/shares/ben`)).status).toBe(200)

    await untilSees('ben', [1, 3], ['of ben'], 404)
    const here = ['of anna', 'of ben', 'of ben, cut off']
    await untilSees('ben', [2], here, here)
    // he was never a manager, so he opens it to nobody, and what is private stays so
    const open = await as('ben', 2).request('PUT', `/v1/albums/${album}/shares/public`, {
      body: Buffer.from('{"role":"viewer"}'),
      headers: { 'content-type': 'application/json' }
    })
    expect(open.status).toBe(403)
  })

  it('see after healing exactly what the rules say, at every node', async () => {
    await lab.heal()
    const shared = ['of anna', 'of anna, meanwhile', 'of ben', 'of ben, cut off']
    await untilSees('anna', everywhere, [...shared, 'private'], shared)
    await untilSees('ben', everywhere, ['of ben', 'of ben, cut off'], 404)
    // he cannot put himself back, nor anything into it
    const put = await as('ben', 2).patchMeta(idOf('of ben'), { albums: { add: [album] } })
    expect(put.status).toBe(404)
  })

  it('and still do after the node that was cut off is killed and starts again', async () => {
    await at(2).kill()
    await at(2).start()
    await untilSees('ben', everywhere, ['of ben', 'of ben, cut off'], 404)
    await send(as('anna', 2), 'PUT', `/v1/albums/${album}/shares/ben`, { role: 'viewer' })
    const shared = ['of anna', 'of anna, meanwhile', 'of ben', 'of ben, cut off']
    await untilSees('ben', everywhere, shared, shared)
  })
})

function resultsOf(body: Buffer): string[] {
  const { results } = JSON.parse(body.toString()) as { results: readonly { readonly photo_id: string }[] }
  return results.map(({ photo_id }) => photo_id)
}
