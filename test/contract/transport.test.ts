import { silentLog } from '../../src/core/log.js'
import { MetricsRegistry } from '../../src/core/metrics.js'
import type { NodeId } from '../../src/domain/ids.js'
import { MeteredTransport } from '../../src/network/metered-transport.js'
import { RelayTransport } from '../../src/network/rpc/relay-transport.js'
import type { Transport } from '../../src/network/transport.js'
import { Libp2pNetwork } from '../support/libp2p-network.js'
import { SeededRandom } from '../support/seeded-random.js'
import { SimulatedClock } from '../support/simulated-clock.js'
import { SimulatedNetwork } from '../support/simulated-network.js'
import type { SimulatedTransport } from '../support/simulated-transport.js'
import { type TransportNetwork, transportContract } from './transport.js'

transportContract('libp2p', async () => new Libp2pNetwork())

transportContract('a simulated network', async () => simulatedNetwork(transport => transport))

transportContract('a transport that is measured', async () =>
  simulatedNetwork(
    (transport, clock) => new MeteredTransport(transport, { clock, metrics: new MetricsRegistry({ log: silentLog }) })
  )
)

transportContract('a relay over a simulated network', async () =>
  simulatedNetwork(
    (transport, clock) => new RelayTransport({ transport, clock, waysTo: () => [], isMember: () => true })
  )
)

function simulatedNetwork(over: (transport: SimulatedTransport, clock: SimulatedClock) => Transport): TransportNetwork {
  const clock = new SimulatedClock()
  const network = new SimulatedNetwork({ clock, random: new SeededRandom(1) })
  const transports: SimulatedTransport[] = []
  let passing = true
  void (async () => {
    while (passing) await clock.advance(1)
  })()
  return {
    create: async (clusterKey = '') => {
      const transport = network.transport(`node${transports.length}` as NodeId, { clusterKey })
      transports.push(transport)
      return over(transport, clock)
    },
    close: async () => {
      passing = false
      await Promise.all(transports.map(transport => transport.stop()))
    }
  }
}
