import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { ClusterNode } from './cluster-node.js'
import { type Driver, RUN_SETTINGS } from './driver.js'
import { clockObstacle, FakedClock } from './faked-clock.js'

/** Nodes as processes of this machine that meet on loopback. */
export const processDriver: Driver = {
  name: 'process',
  about: 'processes on loopback, on any machine; the network between them cannot be cut',
  can: ['kill', 'stop', 'pause', 'clock', 'harm'],
  obstacle: deeds => (deeds.includes('clock') ? clockObstacle() : undefined),
  async deploy({ nodes: count, folder, fakesClocks, settings }) {
    const ports = await freePorts(2 * count)
    const [http, p2p] = [ports.slice(0, count), ports.slice(count)]
    const all = p2p.map(port => `127.0.0.1:${port}`)
    const nodes = http.map((port, i) => {
      const name = `n${i + 1}`
      const flags = ['--http', `127.0.0.1:${port}`, '--p2p', `127.0.0.1:${p2p[i]}`, '--join', all.join()]
      return new ClusterNode({
        name,
        data: join(folder, name),
        ...(fakesClocks && { clock: new FakedClock(join(folder, `${name}.clock`)) }),
        url: `http://127.0.0.1:${port}`,
        launch: { flags: [...flags, ...RUN_SETTINGS, ...settings] }
      })
    })
    return {
      nodes,
      async cut() {
        throw new Error('what is between processes on loopback cannot be cut; --driver netns can')
      },
      heal: async () => 0,
      close() {}
    }
  }
}

/** @returns ports that were free a moment ago; a node gets the same ones at each start, so that others find it again */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(close))
  return ports
}

function close(server: Server): Promise<unknown> {
  server.close()
  return once(server, 'close')
}
