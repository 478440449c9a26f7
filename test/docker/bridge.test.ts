import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { announceSeed } from '../support/photo-maker.js'
import { scene, toImage } from '../support/test-pictures.js'
import { until } from '../support/until.js'
import { DockerLab, type DockerNode, docker, dockerObstacle } from './docker-lab.js'

/** No name of anything: whoever is to find others has mDNS only. */
const NOBODY = 'nobody.invalid'
/** Takes all the memory that its container may have. */
const HOG = 'const all = []; for (;;) all.push(Buffer.alloc(2 ** 23, 1))'

describe.skipIf(dockerObstacle() !== undefined)('five containers on a bridge', () => {
  let lab: DockerLab
  const node = (i: number): DockerNode => lab.nodes[i - 1] as DockerNode

  beforeAll(async () => {
    lab = new DockerLab('bridge', 'bridge', announceSeed('bridge'), '--memory=500m --memory-swap=500m')
    await lab.up()
    await lab.scale(5, '--model', 'none', '--join', NOBODY)
  })
  afterAll(() => lab.down())

  /** Waits until Docker has started it again. */
  async function untilBack(victim: DockerNode, restarts: string): Promise<void> {
    await until(`${victim.name} was started again`, 60_000, async () => (await victim.restartCount()) > restarts)
    await victim.untilReady()
  }

  /** @returns how often the kernel has ended something in this container for its memory lately, as Docker says */
  async function oomCount(victim: DockerNode): Promise<number> {
    const filters = ['--filter', `container=${victim.name}`, '--filter', 'event=oom']
    return (await docker('events', '--since', '10m', '--until', '0s', ...filters)).split('\n').filter(Boolean).length
  }

  /** Docker hears of it a moment later. */
  function untilOom(victim: DockerNode, before: number): Promise<void> {
    return until('the kernel has ended something for its memory', 10_000, async () => (await oomCount(victim)) > before)
  }

  /** Fills the container's memory: the kernel ends `victim` for it, then, if the container is still there, what fills it. */
  async function runOutOfMemory(where: DockerNode, victim: number): Promise<void> {
    writeFileSync(`/proc/${victim}/oom_score_adj`, '1000')
    await new Promise(resolve =>
      execFile(process.env.DOCKER ?? 'docker', ['exec', where.name, 'node', '-e', HOG], resolve)
    )
  }

  test('find each other by mDNS, and share what each takes in', async () => {
    await lab.uploadOnAll(3)
    await lab.expectIdentical()
  })

  test('go on in two halves, and agree when they meet again', async () => {
    const shared = await lab.upload(node(1))
    await lab.expectIdentical()
    await lab.partition([node(1), node(2)], [node(3), node(4), node(5)])
    await lab.uploadOnAll(2)
    await lab.remove(node(4), shared)
    await node(1).client.patchMeta(shared, { name: 'renamed on the other side' })
    await node(1).heal()
    await node(2).heal()
    await lab.expectIdentical()
  })

  test('take back one that was unplugged, and is plugged in with another address', async () => {
    const away = node(3)
    const before = await away.address()
    await docker('network', 'disconnect', lab.network, away.name)
    const others = lab.nodes.filter(other => other !== away)
    await until('the others miss it', 60_000, async () => {
      return (await Promise.all(others.map(other => other.aliveCount()))).every(alive => alive === 4)
    })
    const bytes = lab.randomBytes(100_000)
    lab.note(away.putInside(bytes), bytes)
    for (const other of others) await lab.upload(other)
    const placeholder = await docker(
      'run',
      '--detach',
      '--network',
      lab.network,
      '--entrypoint',
      'sleep',
      process.env.SHEAF_IMAGE ?? '',
      '300'
    )
    await docker('network', 'connect', lab.network, away.name)
    await away.untilReady()
    expect(await away.address()).not.toBe(before)
    await docker('rm', '--force', '--volumes', placeholder)
    await lab.expectIdentical()
  })

  test('lose nothing when a node is killed in the middle of uploads; it comes back by itself', async () => {
    const victim = node(4)
    const restarts = await victim.restartCount()
    const [pid] = await victim.nodePids()
    let acknowledged = 0
    const uploads = (async () => {
      for (;;) {
        await lab.upload(victim)
        acknowledged++
      }
    })().catch(() => {}) // until the node is gone
    await until('some are acknowledged', 20_000, async () => acknowledged >= 5, 5)
    process.kill(pid as number, 'SIGKILL')
    await uploads
    await untilBack(victim, restarts)
    expect(acknowledged).toBeGreaterThanOrEqual(5)
    await lab.expectIdentical()
  })

  test('lose nothing when the first process of a container is killed', async () => {
    const victim = node(5)
    const restarts = await victim.restartCount()
    await lab.upload(victim)
    process.kill(await victim.pid(), 'SIGKILL')
    await untilBack(victim, restarts)
    await lab.expectIdentical()
  })

  test('lose nothing when a node runs out of memory; it comes back by itself', async () => {
    const victim = node(2)
    const [restarts, ooms] = [await victim.restartCount(), await oomCount(victim)]
    await lab.upload(victim)
    const [pid] = await victim.nodePids()
    await runOutOfMemory(victim, pid as number)
    await untilBack(victim, restarts)
    await untilOom(victim, ooms)
    await lab.expectIdentical()
  })

  test('go on when the image process of a node runs out of memory', async () => {
    await uploadPicture(node(1), 1)
    const victim = await lookingNode()
    const [restarts, ooms] = [await victim.restartCount(), await oomCount(victim)]
    const [pid, imagePid] = await victim.nodePids()
    await runOutOfMemory(victim, imagePid as number)
    await untilOom(victim, ooms)
    expect(existsSync(`/proc/${imagePid}`)).toBe(false)
    for (let seed = 2; seed < 7; seed++) await uploadPicture(victim, seed)
    expect(await victim.restartCount()).toBe(restarts)
    expect((await victim.nodePids())[0]).toBe(pid)
    await lab.expectIdentical()
  })

  /** @returns one of those that have an image process: who looks at a photo is not who took it in */
  async function lookingNode(): Promise<DockerNode> {
    for (const one of lab.nodes) if ((await one.nodePids()).length > 1) return one
    throw new Error('no node has an image process')
  }

  /** Waits until the image process has looked at it. */
  async function uploadPicture(where: DockerNode, seed: number): Promise<void> {
    const bytes = await toImage(scene(seed, 640, 480))
      .jpeg()
      .toBuffer()
    const { photo_id: id } = await where.client.putPhoto(bytes, 'picture.jpg')
    lab.note(id, bytes)
    await until('it is looked at', 60_000, async () => {
      return (await where.client.json<{ width: number | null }>('GET', `/photo/${id}/meta`, 200)).width === 640
    })
  }
})
