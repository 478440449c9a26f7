import { describe, expect, it } from 'vitest'
import type { Line } from '../../../chaos/history.js'
import { DeployedStage, type StageNode } from '../../../chaos/stage.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

const HOUR = 3_600_000

/** A node that is nowhere, and does as it is told. */
class FakeNode implements StageNode {
  readonly name: string
  readonly deeds: string[]
  isRunning = false
  /** By which its clock is ahead. */
  offsetMs = 0
  /** Whether it has the clock of its machine. */
  takesClock = true
  canBeHarmed = true
  copies: readonly Awaited<ReturnType<StageNode['volumes']>>[number][] = []
  readonly #clock: SimulatedClock
  /** Why an orderly stop fails. */
  stopsWith: string | undefined
  #exit: ((code: number | string) => void) | undefined
  #exited = new Promise<number | string>(() => {})

  constructor(name: string, clock: SimulatedClock, deeds: string[]) {
    this.name = name
    this.#clock = clock
    this.deeds = deeds
  }

  get process(): StageNode['process'] {
    const note = (deed: string) => (): void => void this.deeds.push(`${deed} ${this.name}`)
    const exited = this.#exited
    return { stderr: `log of ${this.name}`, exit: () => exited, pause: note('pause'), continue: note('continue') }
  }

  get folder(): StageNode['folder'] {
    return {
      harm: damage => {
        this.deeds.push(`${damage} ${this.name}`)
        return this.canBeHarmed ? damage : undefined
      }
    }
  }

  close(): void {
    this.deeds.push(`close ${this.name}`)
  }

  async start(): Promise<void> {
    this.deeds.push(`start ${this.name}`)
    this.isRunning = true
    this.#exited = new Promise(resolve => {
      this.#exit = resolve
    })
  }

  async kill(): Promise<void> {
    this.deeds.push(`kill ${this.name}`)
    this.endWith('SIGKILL')
  }

  async stop(): Promise<void> {
    this.deeds.push(`stop ${this.name}`)
    this.endWith(0)
    if (this.stopsWith !== undefined) throw new Error(this.stopsWith)
  }

  setClock(offsetMs: number): void {
    this.deeds.push(`clock of ${this.name} ${offsetMs}`)
    if (this.takesClock) void this.#clock.sleep(1_000).then(() => (this.offsetMs = offsetMs))
  }

  async volumes(): ReturnType<StageNode['volumes']> {
    return this.copies
  }

  async time(): Promise<number> {
    return this.#clock.now() + this.offsetMs
  }

  endWith(code: number | string): void {
    this.isRunning = false
    this.#exit?.(code)
  }
}

interface Scene {
  readonly stage: DeployedStage
  readonly nodes: readonly [FakeNode, FakeNode]
  readonly clock: SimulatedClock
  readonly writing: Set<string>
  readonly deeds: readonly string[]
  readonly logs: readonly string[]
  /** Of the history: states of nodes, clocks and problems. */
  told(): readonly string[]
}

/** Both run. */
async function twoNodes(): Promise<Scene> {
  const lines: Line[] = []
  const deeds: string[] = []
  const logs: string[] = []
  const writing = new Set<string>()
  const clock = new SimulatedClock()
  const nodes = [new FakeNode('n1', clock, deeds), new FakeNode('n2', clock, deeds)] as const
  const stage = new DeployedStage({
    deployment: { nodes, cut: async () => {}, heal: async () => 0 },
    clock,
    now: () => lines.length,
    record: line => void lines.push(line),
    keepLog: (node, text) => void logs.push(`${node}: ${text}`),
    isWriting: node => writing.has(node),
    untilWriting: async names => void deeds.push(`await a write at ${names.join(' ')}`)
  })
  await stage.start(stage.nodes)
  deeds.length = lines.length = 0
  const told = (): readonly string[] =>
    lines.flatMap(line => {
      if (line.type === 'clock') return [`clock of ${line.node} ${line.offsetMs}`]
      if (line.type === 'node') return [`${line.node} ${line.state}`]
      return line.type === 'problem' ? [`${line.checker}: ${line.what.split('\n')[0]}`] : []
    })
  return { stage, nodes, clock, writing, deeds, logs, told }
}

describe('a stage', () => {
  it('stops a node at a write, keeps its log, and has it in its hands until it is started', async () => {
    const { stage, deeds, logs, told } = await twoNodes()
    await stage.stop('n1')
    expect(stage.free()).toEqual(['n2'])
    await stage.start(['n1'])
    expect(stage.free()).toEqual(['n1', 'n2'])
    expect(deeds).toEqual(['await a write at n1', 'stop n1', 'start n1'])
    expect(told()).toEqual(['n1 stopping', 'n1 up'])
    expect(logs).toEqual(['n1: log of n1'])
  })

  it('writes down a stop that is not orderly, and goes on', async () => {
    const { stage, nodes, logs, told } = await twoNodes()
    nodes[0].stopsWith = 'it ended with 1 after SIGTERM'
    await stage.stop('n1')
    await stage.start(['n1'])
    expect(told()).toEqual([
      'n1 stopping',
      'process: n1 does not stop in good order: it ended with 1 after SIGTERM',
      'n1 up'
    ])
    expect(logs).toEqual(['n1: log of n1'])
  })

  it('writes down a node that ends by itself, but not one that was killed', async () => {
    const { stage, nodes, told } = await twoNodes()
    await stage.kill(['n1'])
    nodes[1].endWith(1)
    await nodes[1].process.exit()
    expect(told()).toEqual(['n1 down', 'n2 down', 'process: n2 ended by itself: 1'])
  })

  it('stops in the end who still runs, and says who does not stop in good order', async () => {
    const { stage, nodes, deeds, told } = await twoNodes()
    await stage.kill(['n1'])
    nodes[1].stopsWith = 'the node did not stop within 30 s of SIGTERM'
    await stage.end()
    expect(deeds.slice(-3)).toEqual(['stop n2', 'close n1', 'close n2'])
    expect(told()).toEqual([
      'n1 down',
      'process: n2 does not stop in good order: the node did not stop within 30 s of SIGTERM'
    ])
  })

  it('counts a jump of a clock once its node shows it, there and back', async () => {
    const { stage, clock, deeds } = await twoNodes()
    const forth = stage.setClock('n1', HOUR)
    await clock.advance(900)
    expect([stage.clockJumps, stage.free()]).toEqual([0, ['n2']])
    await clock.advance(300)
    await forth
    expect([stage.clockJumps, stage.free()]).toEqual([1, ['n2']])
    const back = stage.setClock('n1', 0)
    await clock.advance(1_200)
    await back
    expect([stage.clockJumps, stage.free()]).toEqual([2, ['n1', 'n2']])
    expect(deeds).toEqual([`clock of n1 ${HOUR}`, 'clock of n1 0'])
  })

  it('does not count a jump that is too small to show', async () => {
    const { stage, clock } = await twoNodes()
    await stage.setClock('n1', 500)
    await clock.advance(1_000)
    expect([stage.clockJumps, stage.free()]).toEqual([0, ['n2']])
  })

  it('sets the clock of a node that is stopped without asking it, and keeps it until it runs', async () => {
    const { stage, clock, told } = await twoNodes()
    const forth = stage.setClock('n1', -HOUR)
    await clock.advance(1_200)
    await forth
    await stage.stop('n1')
    await stage.setClock('n1', 0)
    expect(stage.free()).toEqual(['n2'])
    await stage.start(['n1'])
    expect([stage.clockJumps, stage.free()]).toEqual([1, ['n1', 'n2']])
    expect(told()).toEqual([`clock of n1 ${-HOUR}`, 'n1 stopping', 'clock of n1 0', 'n1 up'])
  })

  it('gives up where a node does not take the clock that it is given', async () => {
    const { stage, nodes, clock } = await twoNodes()
    nodes[0].takesClock = false
    const refused = expect(stage.setClock('n1', HOUR)).rejects.toThrow('n1 does not show the clock that it was given')
    await clock.advance(11_000)
    await refused
  })

  it('harms a node only when nobody writes there any more and others have all that it has', async () => {
    const { stage, nodes, clock, writing, deeds, told } = await twoNodes()
    writing.add('n2')
    nodes[1].copies = [{ logical_volume: 'v1', state: 'active', copies: 1 }]
    const harmed = stage.harm('n2', 'wipe', new SeededRandom(1))
    await clock.advance(300)
    writing.clear()
    await clock.advance(300)
    expect([deeds, stage.isLeftAlone('n2'), stage.free()]).toEqual([[], true, ['n1']])
    nodes[1].copies = [{ logical_volume: 'v1', state: 'active', copies: 2 }]
    await clock.advance(200)
    expect(await harmed).toBe('wipe')
    expect([deeds, told()]).toEqual([
      ['stop n2', 'wipe n2'],
      ['n2 stopping', 'n2 damaged']
    ])
    await stage.start(['n2'])
    expect([stage.isLeftAlone('n2'), stage.free(), stage.damages]).toEqual([false, ['n1', 'n2'], 1])
  })

  it('lets a node be whose volumes nobody else has', async () => {
    const { stage, nodes, clock, deeds } = await twoNodes()
    nodes[1].copies = [{ logical_volume: 'v1', state: 'closed', copies: 1 }]
    const harmed = stage.harm('n2', 'wipe', new SeededRandom(1))
    await clock.advance(11_000)
    expect(await harmed).toBeUndefined()
    expect([deeds, stage.isLeftAlone('n2'), stage.free(), stage.damages]).toEqual([[], false, ['n1', 'n2'], 0])
  })

  it('knows of volumes that others have had, and have no more', async () => {
    const { stage, nodes } = await twoNodes()
    nodes[1].copies = [{ logical_volume: 'v1', state: 'closed', copies: 2 }]
    await stage.harm('n2', 'flip-index', new SeededRandom(1))
    await stage.start(['n2'])
    nodes[1].copies = [{ logical_volume: 'v1', state: 'closed', copies: 1 }]
    nodes[1].canBeHarmed = false
    expect(await stage.harm('n2', 'truncate', new SeededRandom(1))).toBe('nothing of truncate')
    expect([stage.damages, [...stage.damaged]]).toEqual([1, ['n2']])
  })
})
