import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../support/node-process.js'
import { scene, toImage } from '../support/test-pictures.js'
import { until } from '../support/until.js'
import { docker, dockerObstacle } from './docker-lab.js'

const IMAGE = process.env.SHEAF_IMAGE ?? ''
const BASE = process.env.SHEAF_TEST_BASE ?? ''
/** Above its base, with the default model inside. */
const IMAGE_BYTES_MAX = 220e6
const NAME = 'sheaf-test-image'
const KEY = 'a key of more than sixteen characters'

describe.skipIf(dockerObstacle() !== undefined)('the image', () => {
  const folder = temporaryFolder('image')
  beforeAll(() => docker('rm', '--force', '--volumes', NAME))
  afterEach(() => docker('rm', '--force', '--volumes', NAME))
  afterAll(() => folder.remove())

  /** Runs a command instead of the program. */
  const inside = (...args: string[]): Promise<string> =>
    docker('run', '--rm', '--entrypoint', args[0] as string, IMAGE, ...args.slice(1))

  const start = (...options: string[]): Promise<string> => docker('run', '--detach', '--name', NAME, ...options, IMAGE)

  const log = (): string => {
    const merged = ['-c', `"$0" logs ${NAME} 2>&1`, process.env.DOCKER ?? 'docker']
    return execFileSync('sh', merged, { encoding: 'utf8', maxBuffer: 2 ** 26 })
  }

  const untilLogged = (text: string): Promise<void> =>
    until(`it logs ${text}`, 60_000, async () => log().includes(text))

  test('is small, and holds no tools, no settings of npm and no libraries for other platforms', async () => {
    const size = async (image: string): Promise<number> =>
      Number(await docker('image', 'inspect', '-f', '{{.Size}}', image))
    const above = (await size(IMAGE)) - (await size(BASE))
    const packed = ['run', '--rm', '--entrypoint', 'tar', IMAGE, '-C', '/opt', '-cz', 'sheaf']
    const compressed = execFileSync(process.env.DOCKER ?? 'docker', packed, { maxBuffer: 2 ** 28 }).length
    const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`
    process.stderr.write(`  image: ${mb(above)} above its base, ${mb(compressed)} compressed\n`)
    expect(above).toBeLessThanOrEqual(IMAGE_BYTES_MAX)

    const find =
      'find / -xdev \\( -name .npmrc -o -name npm -o -name npx -o -name corepack -o -name "*.win32*" -o -name "*.dylib" -o -name "*.dll" \\) ! -path "/proc/*" 2> /dev/null; command -v g++ gcc make python3; true'
    expect(await inside('sh', '-c', find)).toBe('')
    expect(await docker('history', '--no-trunc', '--format', '{{.CreatedBy}}', IMAGE)).not.toMatch(
      /npmrc|_authToken|registry\./
    )
    expect(await inside('sh', '-c', 'find /opt/sheaf ! -perm -o=r')).toBe('')
  })

  test('says what it is', async () => {
    const { Config: config } = JSON.parse(await docker('image', 'inspect', '-f', '{{json .}}', IMAGE)) as {
      Config: { User: string; Labels: Record<string, string>; Volumes: object; ExposedPorts: object }
    }
    expect(config.User).toBe('10001:10001')
    expect(Object.keys(config.Volumes)).toEqual(['/data'])
    expect(Object.keys(config.ExposedPorts).sort()).toEqual(['4001/tcp', '8000/tcp'])
    expect(config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'Sheaf',
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.version': expect.stringMatching(/^\d+\.\d+\.\d+/),
      'org.opencontainers.image.revision': expect.stringMatching(/[0-9a-f]{7}/)
    })
  })

  test('looks at photos with no network, nothing to write to but its volume, and no rights', async () => {
    const photo = await toImage(scene(7, 320, 240))
      .jpeg()
      .toBuffer()
    writeFileSync(join(folder.path, 'photo.jpg'), photo)
    chmodSync(folder.path, 0o755) // the node's user is nobody here
    const options = [
      '--network',
      'none',
      '--read-only',
      '--tmpfs',
      '/tmp',
      '--cap-drop',
      'ALL',
      '--security-opt',
      'no-new-privileges'
    ]
    await start(...options, '--volume', `${folder.path}:/photos:ro`)
    await untilLogged('model in use')
    const id = await docker('exec', NAME, 'sheaf', 'put', '/photos/photo.jpg')
    await until('it is looked at', 60_000, async () => {
      const { index } = JSON.parse(await docker('exec', NAME, 'sheaf', 'status', '--json')) as {
        index: { vectors: number }
      }
      return index.vectors === 1
    })
    expect(await docker('exec', NAME, 'sheaf', 'similar', '/photos/photo.jpg')).not.toContain('ERR')
    expect(await docker('exec', NAME, 'sheaf', 'info', id)).toContain('320')
    await until(
      'it is healthy',
      60_000,
      async () => (await docker('inspect', '-f', '{{.State.Health.Status}}', NAME)) === 'healthy'
    )
    expect(await docker('inspect', '-f', '{{.State.OOMKilled}} {{.RestartCount}}', NAME)).toBe('false 0')
  })

  test('warns that anybody may join, listens everywhere, and ends at SIGTERM with 0', async () => {
    const began = performance.now()
    await start()
    await untilLogged('"msg":"ready"')
    process.stderr.write(`  ready ${((performance.now() - began) / 1_000).toFixed(1)} s after docker run\n`)
    expect(log()).toContain('NO CLUSTER KEY')
    const address = await docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', NAME)
    expect((await fetch(`http://${address}:8000/health/ready`)).status).toBe(200)
    expect(log()).toContain(`/ip4/${address}/tcp/4001`)
    expect(log()).toContain('ready {"http":"http://127.0.0.1:8000"')
    expect(await docker('exec', NAME, 'cat', '/proc/1/comm')).toBe('tini')
    await docker('stop', '--time', '30', NAME)
    expect(await docker('inspect', '-f', '{{.State.ExitCode}}', NAME)).toBe('0')
    expect(log()).toContain('"msg":"stopped"')
  })

  test('is reached by IPv6 where its network has that', async () => {
    const network = `${NAME}-6`
    const isThere = (await docker('network', 'ls', '--quiet', '--filter', `name=${network}`)) !== ''
    if (!isThere) await docker('network', 'create', '--ipv6', '--subnet', 'fd07:5ea0:f::/64', network)
    await start('--network', network)
    await untilLogged('"msg":"ready"')
    const [address] = JSON.parse(
      await docker('inspect', '-f', '[{{range .NetworkSettings.Networks}}{{json .GlobalIPv6Address}}{{end}}]', NAME)
    ) as [string]
    expect((await fetch(`http://[${address}]:8000/health/ready`)).status).toBe(200)
    await docker('rm', '--force', '--volumes', NAME)
    await docker('network', 'rm', network)
  })

  test.each([
    ['a variable', ['--env', `SHEAF_CLUSTER_KEY=${KEY}`]],
    ['a file', ['--env', 'SHEAF_CLUSTER_KEY_FILE=/key', '--volume', `${join(folder.path, 'key')}:/key:ro`]],
    [
      'a secret',
      [
        '--env',
        'SHEAF_CLUSTER_KEY_FILE=/run/secrets/key',
        '--volume',
        `${join(folder.path, 'key')}:/run/secrets/key:ro`
      ]
    ]
  ])('takes a key as %s, and then does not warn', async (_, options) => {
    writeFileSync(join(folder.path, 'key'), `${KEY}\n`, { mode: 0o444 })
    await start(...options)
    await untilLogged('"msg":"ready"')
    expect(log()).not.toContain('NO CLUSTER KEY')
  })

  test('does not start with a key that it cannot read', async () => {
    await start('--env', 'SHEAF_CLUSTER_KEY_FILE=/run/secrets/key')
    expect(await docker('wait', NAME)).toBe('2')
    expect(log()).toContain('/run/secrets/key')
  })
})
