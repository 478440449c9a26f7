import { DAMAGES, type Nemesis } from './nemesis.js'

/** Only the last node is ever harmed, so that the others have all that it had. */
export const disk: Nemesis = {
  name: 'disk',
  about: 'the last node is stopped when others have all that it has, its files are harmed, and it starts on them',
  needs: 'harm',
  restMs: [2_000, 4_000],
  holdMs: [300, 2_000],
  reaches: ['damages'],
  async begin(stage, random) {
    const node = stage.nodes.at(-1)
    if (node === undefined || !stage.free().includes(node)) return undefined
    const what = await stage.harm(node, random.pick(DAMAGES), random)
    return what === undefined ? undefined : { what: `${node}: ${what}`, end: () => stage.start([node]) }
  }
}
