import { join } from 'node:path'
import type { Cut } from '../nemeses/nemesis.js'
import { type Driver, RUN_SETTINGS } from './driver.js'
import { clockObstacle, FakedClock } from './faked-clock.js'
import { LabNode } from './lab-node.js'
import { NetworkLab } from './network-lab.js'

/** No other laboratory that may run at the same time has these. */
const PREFIX = 'shfcha'
const NET = 79

/** Nodes on hosts of their own, as network namespaces on one bridge. */
export const netnsDriver: Driver = {
  name: 'netns',
  about: 'a network namespace for each node, on one bridge; needs root, ip and nft',
  can: ['kill', 'stop', 'pause', 'clock', 'harm', 'cut'],
  obstacle: deeds => NetworkLab.obstacle() ?? (deeds.includes('clock') ? clockObstacle() : undefined),
  async deploy({ nodes: count, folder, fakesClocks, settings: more }) {
    const lab = new NetworkLab(PREFIX, count, NET)
    lab.up()
    const settings = [...RUN_SETTINGS, ...more]
    const nodes = Array.from({ length: count }, (_, i) => {
      const host = i + 1
      const clock = fakesClocks ? new FakedClock(join(folder, `n${host}.clock`)) : undefined
      return new LabNode({ lab, host, hosts: count, folder, settings, ...(clock && { clock }) })
    })
    const hostOf = (name: string): number => nodes.findIndex(node => node.name === name) + 1
    return {
      nodes,
      cut(name: string, cut: Cut) {
        return lab.cut(
          name,
          cut.map(([from, to]) => [hostOf(from), hostOf(to)] as const)
        )
      },
      heal: name => lab.heal(name),
      close: () => lab.down()
    }
  }
}
