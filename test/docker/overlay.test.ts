import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REPOSITORY, temporaryFolder } from '../support/node-process.js'
import { announceSeed } from '../support/photo-maker.js'
import { DockerLab, type DockerNode, docker, dockerObstacle, output } from './docker-lab.js'

const KEY = 'a key of more than sixteen characters'

describe.skipIf(dockerObstacle() !== undefined)('containers on an attachable overlay network', () => {
  const folder = temporaryFolder('overlay')
  let lab: DockerLab
  let wasInSwarm: boolean
  const first = (): DockerNode => lab.nodes[0] as DockerNode

  beforeAll(async () => {
    wasInSwarm = (await docker('info', '--format', '{{.Swarm.LocalNodeState}}')) !== 'inactive'
    lab = new DockerLab('overlay', 'overlay', announceSeed('overlay'))
    await lab.up()
    process.stderr.write('  one engine: its overlay network never crosses the wire between machines (VXLAN)\n')
  })
  afterAll(async () => {
    await lab.down()
    if (!wasInSwarm) await docker('swarm', 'leave', '--force')
    folder.remove()
  })

  test('five find each other by the name that they share, and share what each takes in', async () => {
    await lab.scale(5, '--model', 'none', '--mdns', 'off')
    await lab.uploadOnAll(2)
    await lab.expectIdentical()
  })

  test('the plain command joins them', async () => {
    // with a label and a name by which this test finds it again
    const mine = ['--name', `${lab.network}-6`, '--label', `io.sheaf.cluster=${lab.network}`]
    const image = process.env.SHEAF_IMAGE ?? ''
    await docker('run', '-d', ...mine, '--network', lab.network, '--network-alias', 'sheaf', image)
    await lab.findNodes()
    await lab.expectIdentical()
    await lab.script('remove', '6')
    await lab.findNodes()
    await lab.expectIdentical()
  })

  test('the command line runs in a container of its own, on the files of the current folder', async () => {
    const bytes = lab.randomBytes(50_000)
    mkdirSync(join(folder.path, 'photos'))
    writeFileSync(join(folder.path, 'photos', 'a.bin'), bytes)
    const env = { ...process.env, SHEAF_NETWORK: lab.network }
    const sheaf = join(REPOSITORY, 'docker/sheaf')
    const id = await output(sheaf, ['put', 'photos/a.bin'], { cwd: folder.path, env })
    lab.note(id, bytes)
    await lab.expectIdentical()
    await output(sheaf, ['get', id, '-o', 'copy.bin'], { cwd: folder.path, env })
    expect(await output('cmp', ['photos/a.bin', 'copy.bin'], { cwd: folder.path })).toBe('')
  })

  test('scales to seven and back to three; those that go have handed over all that they had', async () => {
    await lab.scale(7, '--model', 'none', '--mdns', 'off')
    await lab.uploadOnAll(2)
    await lab.scale(3)
    await lab.expectIdentical()
    expect(await lab.script('logs', '--tail', '1')).toContain(`${first().name}: `)
  })

  test('a node with a key is not let in', async () => {
    const name = await lab.scriptWith({ SHEAF_CLUSTER_KEY: KEY }, 'run', '--model', 'none', '--mdns', 'off')
    const all = lab.nodes
    await lab.findNodes()
    const stranger = lab.nodes.find(node => node.name === name) as DockerNode
    await lab.upload(first())
    expect(await stranger.aliveCount()).toBe(1)
    expect((await stranger.client.list()).photos).toEqual([])
    await docker('rm', '--force', '--volumes', name)
    lab.nodes = all
    await lab.expectIdentical()
  })
})
