import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/core/clock.js'
import { type Logger, silentLog } from '../../src/core/log.js'
import { LoopWatch } from '../../src/core/loop-watch.js'
import { systemRandom } from '../../src/core/random.js'
import { RECORD_FORMATS } from '../../src/domain/formats.js'
import { deriveSecrets } from '../../src/network/libp2p/admission.js'
import { createLibp2pNode, type Libp2pNode } from '../../src/network/libp2p/libp2p-node.js'
import type { Libp2pTransport } from '../../src/network/libp2p/libp2p-transport.js'
import { FETCH_PROTOCOL, RPC_PROTOCOL } from '../../src/network/libp2p/peer-link.js'
import { PendingConnections } from '../../src/network/libp2p/pending-connections.js'
import { STALL_MS } from '../../src/network/libp2p/silence-watch.js'
import { ownVersion } from '../../src/network/node-version.js'
import { Libp2pNetwork } from '../support/libp2p-network.js'
import { type OlderNode, olderNode } from '../support/older-node.js'
import { until } from '../support/until.js'

const never = new AbortController().signal
const bytes = (text: string): Buffer => Buffer.from(text)

interface Line {
  readonly message: string
  readonly [field: string]: unknown
}

function collectingLog(): { readonly log: Logger; readonly lines: Line[] } {
  const lines: Line[] = []
  const take = (fields: object, message: string): void => void lines.push({ ...fields, message })
  return { lines, log: { ...silentLog, warn: take, error: take } }
}

let network: Libp2pNetwork
let stops: (() => unknown)[]

beforeEach(() => {
  network = new Libp2pNetwork()
  stops = []
})

afterEach(async () => {
  await Promise.all(stops.map(stop => stop()))
  await network.close()
})

const addressOf = (transport: Libp2pTransport): string => transport.addresses()[0] as string
const portOf = (transport: Libp2pTransport): number => Number(/tcp\/(\d+)/.exec(addressOf(transport))?.[1])

async function started(...args: Parameters<Libp2pNetwork['create']>): Promise<Libp2pTransport> {
  const transport = await network.create(...args)
  await transport.start()
  return transport
}

describe('listening', () => {
  test('on an address in use fails with a code and names the flag', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    stops.push(() => server.close())
    const { port } = server.address() as { port: number }
    const transport = await network.create('k', { listen: { host: '127.0.0.1', port } })
    await expect(transport.start()).rejects.toMatchObject({
      code: 'ERR_ADDRESS_IN_USE',
      message: `127.0.0.1:${port} is in use; choose another address with --p2p`
    })
    server.close()
    await once(server, 'close')
    await transport.start() // it can be tried again
    expect(portOf(transport)).toBe(port)
  })

  test('on :: accepts IPv4 and IPv6', async () => {
    const a = await started('k', { listen: { host: '::', port: 0 } })
    const b = await started('k', { listen: { host: '127.0.0.1', port: 0 } })
    for (const host of ['/ip4/127.0.0.1', '/ip6/::1']) {
      expect(await b.dial(`${host}/tcp/${portOf(a)}`, never)).toBe(a.self)
      await b.hangUp(a.self)
    }
  })

  test.each(['192.0.2.1', 'no-such-host.invalid'])(
    'on %s, which is not this machine, is a configuration error',
    async host => {
      const transport = await network.create('k', { listen: { host, port: 0 } })
      await expect(transport.start()).rejects.toMatchObject({
        code: 'ERR_CONFIG',
        message: expect.stringContaining('--p2p')
      })
    }
  )

  test('again after a stop, the node has the same id and address', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const first = await started('k', { privateKey })
    const peer = await started('k')
    await peer.dial(addressOf(first), never)
    const listen = { host: '127.0.0.1', port: portOf(first) }
    const address = addressOf(first)
    await first.stop()
    const second = await started('k', { privateKey, listen })
    expect(second.self).toBe(first.self)
    expect(addressOf(second)).toBe(address)
    expect(await peer.dial(address, never)).toBe(first.self)
  })

  test('on all interfaces advertises those that others can use', async () => {
    const transport = await started('k', { listen: { host: '0.0.0.0', port: 0 } })
    const hosts = transport.addresses().map(address => /\/ip4\/([^/]+)\//.exec(address)?.[1])
    const external = Object.values(networkInterfaces())
      .flatMap(addresses => addresses ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4')
      .map(({ address }) => address)
    if (external.length === 0) expect(hosts).toEqual(['127.0.0.1'])
    else for (const host of hosts) expect(external).toContain(host)
  })

  test('with an address to advertise advertises only that', async () => {
    const transport = await started('k', { advertise: [{ host: 'photos.example', port: 9 }] })
    expect(transport.addresses()).toEqual([`/dns/photos.example/tcp/9/p2p/${transport.self}`])
  })
})

describe('admission', () => {
  test('during a key change, nodes with the old key, both, and the new key can connect', async () => {
    const withKeys = async (...keys: string[]): Promise<Libp2pTransport> =>
      await started('', { clusterKeys: keys.map(bytes) })
    const [old, both, fresh] = [await withKeys('old'), await withKeys('new', 'old'), await withKeys('new')]
    expect(await old.dial(addressOf(both), never)).toBe(both.self)
    expect(await both.dial(addressOf(fresh), never)).toBe(fresh.self)
    await expect(fresh.dial(addressOf(old), never)).rejects.toMatchObject({ code: 'ERR_PEER_REFUSED' })
  })

  test('without a key there is a loud warning, and names keep clusters apart', async () => {
    const { log, lines } = collectingLog()
    const open = (clusterName: string): Promise<Libp2pTransport> => started('', { clusterName, clusterKeys: [], log })
    const [a, alsoA, b] = [await open('a'), await open('a'), await open('b')]
    expect(lines).toHaveLength(3)
    expect(lines[0]?.message).toMatch(/^NO CLUSTER KEY.*--cluster-key/)
    expect(await a.dial(addressOf(alsoA), never)).toBe(alsoA.self)
    await expect(a.dial(addressOf(b), never)).rejects.toMatchObject({ code: 'ERR_PEER_REFUSED' })
    const keyed = await started('k', { clusterName: 'a' })
    await expect(a.dial(addressOf(keyed), never)).rejects.toMatchObject({ code: 'ERR_PEER_REFUSED' })
  })

  test('a stranger that dials again and again costs one log line', async () => {
    const { log, lines } = collectingLog()
    const node = await started('k', { log })
    const stranger = await network.create('another')
    await stranger.start()
    for (let i = 0; i < 5; i++) await stranger.dial(addressOf(node), never).catch(() => {})
    expect(lines).toMatchObject([
      { code: 'ERR_PEER_REFUSED', peer: stranger.self, address: expect.stringContaining('/ip4/127.0.0.1/tcp/') }
    ])
    expect(node.peers()).toEqual([])
  })

  test('a node of any other libp2p network gets no further than the encryption, and is not taken for an older Sheaf', async () => {
    const { log, lines } = collectingLog()
    const node = await started('k', { log })
    const other = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()]
    })
    stops.push(() => other.stop())
    await expect(other.dial(multiaddr(addressOf(node)))).rejects.toThrow()
    expect(node.peers()).toEqual([])
    expect(lines).toEqual([])
  })

  test.each([
    ['bytes of another protocol', bytes('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['silence', bytes('')]
  ])('%s on the port ends the connection, and harms nothing else', async (_what, sent) => {
    const node = await started('k')
    const socket: Socket = connect(portOf(node), '127.0.0.1')
    stops.push(() => socket.destroy())
    socket.on('error', () => {}) // it may end with a reset
    socket.resume()
    if (sent.length > 0) socket.write(sent)
    await new Promise(resolve => socket.once('close', resolve))
    const peer = await started('k')
    expect(await peer.dial(addressOf(node), never)).toBe(node.self)
  })

  test('a node that was not admitted cannot open any stream', async () => {
    const node = await started('k')
    const stranger = await memberNode('another')
    await expect(stranger.dialProtocol(multiaddr(addressOf(node)), RPC_PROTOCOL)).rejects.toThrow()
    await expect(stranger.dialProtocol(multiaddr(addressOf(node)), '/ipfs/id/1.0.0')).rejects.toThrow()
    expect(stranger.getConnections()).toEqual([])
  })
})

describe('versions', () => {
  const ofFormats = (program: string, min: number, max: number, log: Logger = silentLog) =>
    started('k', { version: ownVersion(program, { min, max }), log })

  test('nodes whose formats overlap connect', async () => {
    const [a, b] = [await ofFormats('1.0.0', 2, 3), await ofFormats('2.0.0', 3, 4)]
    expect(await a.dial(addressOf(b), never)).toBe(b.self)
  })

  test.each(['the older', 'the newer'])(
    'without a common format, %s one dials and both name the upgrade',
    async who => {
      const [atOlder, atNewer] = [collectingLog(), collectingLog()]
      const older = await ofFormats('1.0.0', 2, 3, atOlder.log)
      const newer = await ofFormats('2.0.0', 4, 5, atNewer.log)
      const [from, to] = who === 'the older' ? [older, newer] : [newer, older]
      await expect(from.dial(addressOf(to), never)).rejects.toMatchObject({
        code: 'ERR_PEER_REFUSED',
        message: expect.stringContaining('no record format in common')
      })
      await until('both refuse', 90_000, async () => atOlder.lines.length > 0 && atNewer.lines.length > 0, 10)
      for (const [{ lines }, peer, advice] of [
        [atOlder, newer, /1\.0\.0.* 2 to 3.*2\.0\.0.* 4 to 5.*upgrade this node, see UPGRADING\.md/],
        [atNewer, older, /2\.0\.0.* 4 to 5.*1\.0\.0.* 2 to 3.*upgrade the other node, see UPGRADING\.md/]
      ] as const) {
        expect(lines).toMatchObject([
          {
            code: 'ERR_PEER_REFUSED',
            peer: peer.self,
            address: expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+/),
            reason: expect.stringMatching(advice)
          }
        ])
      }
      expect([...older.peers(), ...newer.peers()]).toEqual([])
    }
  )

  async function startedOlderNode(): Promise<OlderNode> {
    const older = await olderNode()
    stops.push(() => older.libp2p.stop())
    return older
  }

  const lineAbout = ({ libp2p }: OlderNode) => ({
    code: 'ERR_PEER_REFUSED',
    peer: libp2p.peerId.toString(),
    address: expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+/),
    reason: expect.stringMatching(
      /older version of Sheaf.*wire version 1; this node: 2.*upgraded together, see UPGRADING\.md/
    ),
    message: 'refused a node'
  })

  test('a node of the older wire version that dials is refused as it understands, and the log names the upgrade', async () => {
    const { log, lines } = collectingLog()
    const node = await started('k', { log })
    const older = await startedOlderNode()
    for (let i = 0; i < 3; i++) await expect(older.libp2p.dial(multiaddr(addressOf(node)))).rejects.toThrow()
    expect(older.outcomes).toEqual(['was refused', 'was refused', 'was refused'])
    expect(lines).toMatchObject([lineAbout(older)])
    expect(node.peers()).toEqual([])
  })

  test('a node of the older wire version that is dialed refuses, and the log names the upgrade', async () => {
    const { log, lines } = collectingLog()
    const node = await started('k', { log })
    const older = await startedOlderNode()
    const [address] = older.libp2p.getMultiaddrs()
    await expect(node.dial(String(address), never)).rejects.toMatchObject({
      code: 'ERR_PEER_REFUSED',
      message: expect.stringContaining('older version of Sheaf')
    })
    expect(older.outcomes).toEqual(['refused it'])
    expect(lines).toMatchObject([lineAbout(older)])
    expect(node.peers()).toEqual([])
  })
})

/** A member that can send anything. */
async function memberNode(clusterKey: string, listen: readonly string[] = []): Promise<Libp2pNode> {
  const { secrets } = await deriveSecrets('test', [bytes(clusterKey)])
  const node = await createLibp2pNode({
    privateKey: await generateKeyPair('Ed25519'),
    listen,
    announce: addresses => addresses,
    admission: {
      secrets,
      version: () => ownVersion('0.0.0-test', RECORD_FORMATS),
      random: systemRandom,
      onRefused: () => {},
      onAdmitted: () => {}
    },
    pending: new PendingConnections({ loop: new LoopWatch({ clock: systemClock }, { lateMs: STALL_MS }) }),
    mdnsTags: [],
    onDiscovered: () => {}
  })
  await node.start()
  stops.push(async () => {
    for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
    await node.stop()
  })
  return node
}

/** A route to `port` that can be cut: from then on it silently drops all bytes, in both directions. */
async function cuttableRoute(port: number): Promise<{ readonly address: string; readonly cut: () => void }> {
  let open = true
  const sockets: Socket[] = []
  const server = createServer(near => {
    const far = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near]
    ] as const) {
      from.on('data', data => open && to.write(data))
      from.on('error', () => {}) // ends in a close
      from.on('close', () => open && to.destroy())
      sockets.push(from)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  stops.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port: near } = server.address() as { port: number }
  return {
    address: `/ip4/127.0.0.1/tcp/${near}`,
    cut: () => {
      open = false
    }
  }
}

describe('a silent network', () => {
  const down = (transport: Libp2pTransport): Promise<void> =>
    new Promise(resolve => {
      transport.onPeer((_peer, state) => state === 'down' && resolve())
    })

  /** Time that passes four times as fast; keep-alives, which libp2p sends, still come often enough. */
  const clock: Clock = {
    ...systemClock,
    monotonic: () => 4 * systemClock.monotonic(),
    schedule: (ms, task) => systemClock.schedule(ms / 4, task)
  }

  test('is noticed by both sides, and pending requests fail', async () => {
    const [here, there] = [await network.create('k', { clock }), await network.create('k', { clock })]
    there.handle('wait', async (_peer, body, signal) => {
      await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
      return body
    })
    await Promise.all([here.start(), there.start()])
    const route = await cuttableRoute(portOf(there))
    await here.dial(route.address, never)
    const answer = here.request(there.self, 'wait', bytes(''), never).catch((err: unknown) => err)
    const bothDown = Promise.all([down(here), down(there)])
    route.cut()
    await bothDown
    expect(await answer).toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    expect(await here.dial(addressOf(there), never)).toBe(there.self)
  })

  test('is told apart from an idle connection, which stays open', async () => {
    const [here, there] = [await started('k', { clock }), await started('k', { clock })]
    const events: string[] = []
    await here.dial(addressOf(there), never)
    here.onPeer((_peer, state) => events.push(state))
    const route = await cuttableRoute(portOf(there))
    const other = await started('k', { clock })
    await other.dial(route.address, never)
    route.cut()
    await down(other) // as long as it takes to notice
    expect(events).toEqual([])
    expect(there.peers()).toEqual(expect.arrayContaining([here.self]))
  })
})

test('a peer that is dialed at another of its addresses keeps one connection', async () => {
  const node = await started('k')
  const peer = await memberNode('k', ['/ip4/0.0.0.0/tcp/0'])
  const port = peer
    .getMultiaddrs()[0]
    ?.toString()
    .match(/tcp\/(\d+)/)?.[1]
  const closed = new Promise(resolve => peer.addEventListener('connection:close', resolve, { once: true }))
  expect(await node.dial(`/ip4/127.0.0.1/tcp/${port}`, never)).toBe(peer.peerId.toString())
  const [first] = peer.getConnections()
  expect(await node.dial(`/ip4/127.0.0.2/tcp/${port}`, never)).toBe(peer.peerId.toString())
  await closed
  expect(peer.getConnections().map(({ id }) => id)).toEqual([first?.id])
})

describe('strangers that open connections', () => {
  /** @returns so many connections to the node, which are opened again whenever it ends them */
  async function crowd(node: Libp2pTransport, count: number, localAddress: string, said?: string): Promise<void> {
    let open = true
    const sockets = new Set<Socket>()
    const opened = async (): Promise<void> => {
      const socket = connect({ host: '127.0.0.1', port: portOf(node), localAddress })
      sockets.add(socket)
      socket.on('error', () => {}) // the node may reset it
      socket.once('close', () => {
        sockets.delete(socket)
        if (open) void opened()
      })
      if (said !== undefined) socket.write(said)
      await once(socket, 'connect').catch(() => {})
    }
    stops.push(() => {
      open = false
      for (const socket of sockets) socket.destroy()
    })
    await Promise.all(Array.from({ length: count }, opened))
  }

  test.each([
    ['say nothing', '127.0.0.1', undefined],
    ['say nothing, from elsewhere', '127.0.0.2', undefined],
    ['begin to speak, from elsewhere', '127.0.0.2', '\x13/multistream/1.0.0\n']
  ])('and %s do not keep members out', async (_what, from, said) => {
    const node = await started('k')
    await crowd(node, 300, from, said)
    for (let i = 0; i < 3; i++) {
      const member = await started('k')
      expect(await member.dial(addressOf(node), never)).toBe(node.self)
    }
  })
})

describe('a member that violates the protocol', () => {
  test.each([
    ['garbage', bytes('what is this?')],
    ['a length above the bound', Buffer.from([0x7f, 0xff, 0xff, 0xff, 1])],
    ['an answer that nobody asked for', Buffer.from([0, 0, 0, 5, 2, 0, 0, 0, 1])]
  ])('%s ends that stream with one line in the log; other streams, peers and the node go on', async (_what, sent) => {
    const { log, lines } = collectingLog()
    const node = await network.create('k', { log })
    node.handle('echo', async (_peer, body) => body)
    await node.start()
    const friend = await started('k')
    await friend.dial(addressOf(node), never)
    const hostile = await memberNode('k')
    for (const protocol of [RPC_PROTOCOL, FETCH_PROTOCOL]) {
      const stream = await hostile.dialProtocol(multiaddr(addressOf(node)), protocol)
      const closed = new Promise(resolve => stream.addEventListener('close', resolve, { once: true }))
      stream.send(sent)
      await closed
    }
    expect(lines.map(({ code }) => code)).toEqual(['ERR_PEER_PROTOCOL', 'ERR_PEER_PROTOCOL'])
    expect(await friend.request(node.self, 'echo', bytes('hello'), never)).toHaveLength(5)
    expect(node.peers()).toHaveLength(2)
  })

  test('one that opens streams and sends nothing blocks neither others nor the stop', async () => {
    const node = await network.create('k')
    node.handle('echo', async (_peer, body) => body)
    await node.start()
    const hostile = await memberNode('k')
    for (let i = 0; i < 6; i++) await hostile.dialProtocol(multiaddr(addressOf(node)), RPC_PROTOCOL)
    for (let i = 0; i < 20; i++) await hostile.dialProtocol(multiaddr(addressOf(node)), FETCH_PROTOCOL)
    const friend = await started('k')
    await friend.dial(addressOf(node), never)
    expect(await friend.request(node.self, 'echo', bytes('hello'), never)).toHaveLength(5)
    await node.stop()
  })
})
