import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { LabNode } from '../../chaos/drivers/lab-node.js'
import { NetworkLab } from '../../chaos/drivers/network-lab.js'
import { killAllNodes, temporaryFolder } from '../support/node-process.js'
import { until } from '../support/until.js'

const HOSTS = 4
const SEEN_MS_MAX = 90_000
const UNKNOWN = '0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b'

const obstacle = NetworkLab.obstacle()
if (obstacle !== undefined) process.stderr.write(`\n  SKIPPED: nodes on networks of all kinds: ${obstacle}\n\n`)

describe.skipIf(obstacle !== undefined)('nodes on networks of all kinds', () => {
  const lab = new NetworkLab('shfnet', HOSTS, 78)
  const folder = temporaryFolder('networks')
  const nodes: LabNode[] = []

  beforeAll(() => lab.up())

  afterEach(async () => {
    await killAllNodes()
    for (const node of nodes.splice(0)) node.wipe()
    await lab.heal()
  })

  afterAll(() => {
    lab.down()
    folder.remove()
  })

  async function start(host: number, ...flags: readonly string[]): Promise<LabNode> {
    const node = new LabNode({ lab, host, hosts: HOSTS, folder: folder.path, flags })
    nodes.push(node)
    await node.start()
    return node
  }

  /** @returns name and state of all members, by name */
  async function statesAt(node: LabNode): Promise<string> {
    const members = await node.members()
    return members
      .map(({ name, state }) => `${name} ${state}`)
      .sort()
      .join(', ')
  }

  const untilSeen = (what: string, node: LabNode, states: string): Promise<void> =>
    until(what, SEEN_MS_MAX, async () => (await statesAt(node)) === states)

  async function upload(node: LabNode, text: string): Promise<string> {
    const { photo_id: id } = await node.client.putPhoto(Buffer.from(text), 'a.bin', 'application/octet-stream')
    return id
  }

  /** @returns what an unknown photo is answered with: the status, and whether all members were asked */
  async function unknownAt(node: LabNode): Promise<readonly unknown[]> {
    const { status, body } = await node.client.photo(UNKNOWN)
    return [status, (JSON.parse(body.toString()) as { complete: unknown }).complete]
  }

  test('two that can only dial out are one cluster with a public one, over IPv6', { timeout: 180_000 }, async () => {
    await lab.dialOutOnly([2, 3])
    const flags = ['--p2p', '[::]:4001', '--open-cluster', '--join', `[${lab.address6(1)}]:4001`]
    const [n1, n2, n3] = [await start(1, ...flags), await start(2, ...flags), await start(3, ...flags)]
    await untilSeen('n1 hears both', n1, 'n1 alive, n2 alive, n3 alive')
    await untilSeen('n2 reaches n3 through n1', n2, 'n1 alive, n2 alive, n3 via')
    await untilSeen('n3 reaches n2 through n1', n3, 'n1 alive, n2 via, n3 alive')
    const addresses = (await n2.members()).find(({ name }) => name === 'n1')?.addresses.join()
    expect(addresses).toContain(`/ip6/${lab.address6(1)}/`)
    expect(addresses).toContain(`/ip4/${lab.address(1)}/`)

    const [of2, of3] = [await upload(n2, 'of n2'), await upload(n3, 'of n3')]
    await until('each has both', SEEN_MS_MAX, async () => {
      const answers = await Promise.all([n2.client.photo(of3), n3.client.photo(of2)])
      return answers.every(({ status }) => status === 200)
    })
    await until('directories are equal', SEEN_MS_MAX, async () => {
      return new Set(await Promise.all(nodes.map(node => node.directoryDigest()))).size === 1
    })
    expect(await unknownAt(n2)).toEqual([404, true])

    await n1.kill()
    await untilSeen('without n1 they miss each other', n2, 'n1 down, n2 alive, n3 down')
    expect(await unknownAt(n2)).toEqual([404, false])
    await n1.start()
    await untilSeen('with n1 they do not', n2, 'n1 alive, n2 alive, n3 via')
  })

  test('addresses that change while nodes run are followed', { timeout: 180_000 }, async () => {
    const flags = ['--p2p', '0.0.0.0:4001', '--open-cluster', '--join', `${lab.address(1)}:4001`]
    const [n1, n2] = [await start(1, ...flags), await start(2, ...flags)]
    await untilSeen('they meet', n2, 'n1 alive, n2 alive')
    // one after the other, so that one of the two always knows the way
    for (const [node, other, as] of [
      [n2, n1, 102],
      [n1, n2, 101]
    ] as const) {
      node.moveTo(as)
      await until(`${node.name} is found at its new address`, SEEN_MS_MAX, async () => {
        const member = (await other.members()).find(({ name }) => name === node.name)
        return member?.state === 'alive' && String(member.addresses).startsWith(`/ip4/${lab.address(as)}/tcp/4001/p2p/`)
      })
    }
    n1.moveTo(1)
    n2.moveTo(2)
  })

  test('a name that nobody knows at the start is tried quietly until somebody does', { timeout: 180_000 }, async () => {
    const etc = join('/etc/netns', lab.namespace(2))
    mkdirSync(etc, { recursive: true })
    writeFileSync(join(etc, 'hosts'), '127.0.0.1 localhost\n')
    writeFileSync(join(etc, 'resolv.conf'), '')
    try {
      await start(1, '--p2p', '0.0.0.0:4001', '--open-cluster', '--join', `${lab.address(1)}:4001`)
      const n2 = await start(2, '--p2p', '0.0.0.0:4001', '--open-cluster', '--join', 'photos.home.arpa')
      const lines = (): string[] => n2.process.log().flatMap(({ msg }) => (msg.includes('--join name') ? [msg] : []))
      await until('the name was tried', SEEN_MS_MAX, async () => lines().length > 0)
      await untilSeen('it is alone', n2, 'n2 alive')
      appendFileSync(join(etc, 'hosts'), `${lab.address(1)} photos.home.arpa\n`)
      await untilSeen('they meet', n2, 'n1 alive, n2 alive')
      expect(lines()).toEqual([
        'cannot resolve a --join name; retrying without further log lines',
        'a --join name resolves again'
      ])
    } finally {
      rmSync(etc, { recursive: true })
    }
  })

  test('clusters of one name and other keys find their own by mDNS, and leave each other alone', {
    timeout: 180_000
  }, async () => {
    const keys = ['one', 'two'].map(name => {
      const path = join(folder.path, `${name}.key`)
      writeFileSync(path, `the key of cluster ${name}, long enough\n`)
      return path
    })
    const flags = ['--p2p', '0.0.0.0:4001', '--mdns', 'on']
    for (const host of [1, 2, 3, 4]) await start(host, ...flags, '--cluster-key', keys[host % 2] as string)
    const [n1, n2, n3, n4] = nodes as [LabNode, LabNode, LabNode, LabNode]
    for (const node of [n1, n3]) await untilSeen(`${node.name} finds its own`, node, 'n1 alive, n3 alive')
    for (const node of [n2, n4]) await untilSeen(`${node.name} finds its own`, node, 'n2 alive, n4 alive')
    for (const node of nodes) expect(node.process.log().filter(({ level }) => level >= 40)).toEqual([])
  })
})
