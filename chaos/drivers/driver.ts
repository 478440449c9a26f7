import type { Capability, Cut } from '../nemeses/nemesis.js'
import type { ClusterNode } from './cluster-node.js'

/** Settings that all nodes of a run have: volumes are full, and deletes are buried, while it goes on. */
export const RUN_SETTINGS = ['--volume-bytes', '1Mi', '--purge-days', '0.0002', '--log-level', 'info']

/** Real nodes somewhere, which do not run yet, and what can be done to them there. */
export interface Deployment {
  readonly nodes: readonly ClusterNode[]
  /** @throws where the driver cannot cut */
  cut(name: string, cut: Cut): Promise<void>
  /** @returns how many packets the cut has dropped */
  heal(name: string): Promise<number>
  /** Removes what was made for the nodes, which run no more. */
  close(): void
}

export interface DriverInit {
  readonly nodes: number
  /** Where they keep their data. */
  readonly folder: string
  /** Whether their clocks will be put forward and back. */
  readonly fakesClocks: boolean
  /** Of all of them, beside {@link RUN_SETTINGS}. */
  readonly settings: readonly string[]
}

export interface Driver {
  readonly name: string
  /** One line, for people. */
  readonly about: string
  readonly can: readonly Capability[]
  /**
   * @param deeds - what is to be done to its nodes
   * @returns why it cannot be used here for that; undefined when it can
   */
  obstacle(deeds: readonly Capability[]): string | undefined
  deploy(init: DriverInit): Promise<Deployment>
}
