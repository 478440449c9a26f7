import type { Nemesis } from './nemesis.js'

export const kill: Nemesis = {
  name: 'kill',
  about: 'kill −9 of one node, which starts again on its folder',
  needs: 'kill',
  restMs: [1_000, 3_000],
  holdMs: [300, 2_000],
  reaches: ['killsUnderWrite'],
  async begin(stage, random) {
    const free = stage.free()
    if (free.length === 0) return undefined
    const node = random.pick(free)
    await stage.kill([node])
    return { what: node, end: () => stage.start([node]) }
  }
}

export const stop: Nemesis = {
  name: 'stop',
  about: 'SIGTERM of one node, which ends in good order and starts again',
  needs: 'stop',
  restMs: [1_000, 3_000],
  holdMs: [300, 2_000],
  reaches: ['stopsUnderWrite'],
  async begin(stage, random) {
    const free = stage.free()
    if (free.length === 0) return undefined
    const node = random.pick(free)
    await stage.stop(node)
    return { what: node, end: () => stage.start([node]) }
  }
}

export const killAll: Nemesis = {
  name: 'kill-all',
  about: 'kill −9 of all nodes at once, which start again on their folders',
  needs: 'kill',
  restMs: [3_000, 5_000],
  holdMs: [300, 1_000],
  reaches: ['killsUnderWrite'],
  async begin(stage) {
    const nodes = stage.free()
    if (nodes.length === 0) return undefined
    await stage.kill(nodes)
    return { what: nodes.join(' '), end: () => stage.start(nodes) }
  }
}

export const pause: Nemesis = {
  name: 'pause',
  about: 'SIGSTOP of one node: its connections stay open, and nobody answers',
  needs: 'pause',
  restMs: [1_000, 3_000],
  holdMs: [1_000, 6_000],
  reaches: ['pausesUnderLoad'],
  async begin(stage, random) {
    const free = stage.free()
    if (free.length === 0) return undefined
    const node = random.pick(free)
    stage.pause(node)
    return { what: node, end: async () => stage.resume(node) }
  }
}
