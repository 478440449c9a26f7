import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REPOSITORY, temporaryFolder } from '../support/node-process.js'
import { announceSeed } from '../support/photo-maker.js'
import { until } from '../support/until.js'
import { DockerLab, type DockerNode, docker, dockerObstacle, output } from './docker-lab.js'
import { buildArguments } from './setup.js'

/** The image of before is that of the last tag, else of this commit: the first that buries deletes as today. */
const FALLBACK_COMMIT = '7362401'
const BEFORE = 'sheaf-test-before'
const NEXT = 'sheaf-test-next'
const IMAGE = process.env.SHEAF_IMAGE ?? ''
const NODE_COUNT = 3
/** Members look every ten seconds whether all read more. */
const RISE_MS_MAX = 60_000

function git(...args: string[]): string {
  return execFileSync('git', ['-C', REPOSITORY, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe']
  }).trim()
}

/** @returns what to build, or why it cannot be built */
function commitOfBefore(): { readonly commit?: string; readonly obstacle?: string } {
  let commit = FALLBACK_COMMIT
  try {
    commit = git('describe', '--tags', '--abbrev=0', '--match', 'v*', 'HEAD^')
  } catch {
    // no release yet
  }
  try {
    git('cat-file', '-e', `${commit}^{commit}`)
    return { commit }
  } catch {
    return { obstacle: `commit ${commit} is not in this checkout (a shallow one?)` }
  }
}

const { commit, obstacle } = commitOfBefore()
if (obstacle !== undefined) process.stderr.write(`\n  SKIPPED: the image of before: ${obstacle}\n\n`)

describe.skipIf(dockerObstacle() !== undefined || obstacle !== undefined)('three nodes of the image of before', () => {
  const folder = temporaryFolder('before')
  const worktree = join(folder.path, 'worktree')
  let lab: DockerLab
  const node = (i: number): DockerNode => lab.nodes[i - 1] as DockerNode

  beforeAll(async () => {
    await buildBefore()
    lab = new DockerLab('upgrade', 'bridge', announceSeed('upgrade'))
    await lab.up()
    await lab.scriptWith({ SHEAF_IMAGE: BEFORE }, 'scale', String(NODE_COUNT), '--model', 'none')
    await lab.findNodes()
    await lab.untilWhole()
  }, 600_000)
  afterAll(async () => {
    await lab.down()
    folder.remove()
    git('worktree', 'prune')
  })

  /** The program of then, with the Dockerfile and the scripts of today. */
  async function buildBefore(): Promise<void> {
    git('worktree', 'add', '--quiet', '--force', '--detach', worktree, commit as string)
    rmSync(join(worktree, 'docker'), { recursive: true, force: true })
    for (const part of ['docker', '.dockerignore'])
      cpSync(join(REPOSITORY, part), join(worktree, part), { recursive: true })
    symlinkSync(join(REPOSITORY, 'node_modules'), join(worktree, 'node_modules'))
    // what docker/build has fetched for today's program serves as long as the lock file is the same
    if (existsSync(join(REPOSITORY, '.docker'))) await output('cp', ['-al', join(REPOSITORY, '.docker'), worktree])
    const env = { ...process.env, SHEAF_IMAGE: BEFORE }
    await output(join(worktree, 'docker/build'), buildArguments(), { env })
  }

  const formatOf = async (where: DockerNode): Promise<number> =>
    (await where.client.json<{ record_format: number }>('GET', '/cluster', 200)).record_format

  const runs = async (where: DockerNode, image: string): Promise<void> => {
    await lab.scriptWith({ SHEAF_IMAGE: image, SHEAF_READY_SECONDS: '20' }, 'upgrade', where.name)
    await lab.findNodes()
  }

  test('serve, and are upgraded one at a time while photos come in', async () => {
    await lab.uploadOnAll(2)
    const gone = await lab.upload(node(1))
    await lab.remove(node(2), gone)
    await lab.expectIdentical()
    for (let i = 1; i <= NODE_COUNT; i++) {
      await runs(node(i), IMAGE)
      await lab.uploadOnAll(1)
      await lab.expectIdentical()
    }
    expect(await node(1).inspect('{{.Config.Image}}')).toBe(IMAGE)
  })

  test('can be taken back as long as the record format has not risen, and are refused afterwards', async () => {
    const risen = await formatOf(node(1))
    const readBefore = await greatestFormatOf(BEFORE)
    if (risen > readBefore) {
      await expect(runs(node(1), BEFORE)).rejects.toThrow('is not ready')
      expect(await node(1).log()).toContain('ERR_FORMAT_TOO_NEW')
      await runs(node(1), IMAGE)
    } else {
      process.stderr.write(
        `  the record format is ${risen}, which the image of before reads: it is taken back, nothing is refused\n`
      )
      await runs(node(1), BEFORE)
      await lab.uploadOnAll(1)
    }
    await lab.expectIdentical()
  })

  test('are refused in the present image once all have run one that reads more, and lose nothing', async () => {
    buildNext()
    for (const one of lab.nodes) await runs(one, NEXT)
    const risen = (await greatestFormatOf(IMAGE)) + 1
    await until('the record format has risen', RISE_MS_MAX, async () => {
      return (await Promise.all(lab.nodes.map(formatOf))).every(format => format === risen)
    })
    await lab.uploadOnAll(1)
    await lab.expectIdentical()
    await expect(lab.scriptWith({ SHEAF_READY_SECONDS: '5' }, 'upgrade', node(1).name)).rejects.toThrow('is not ready')
    expect(await node(1).log()).toContain('THE CLUSTER HAS A LATER RECORD FORMAT')
    await runs(node(1), NEXT)
    await lab.expectIdentical()
  })

  /** An image of a program that does not exist: it reads one record format more. */
  function buildNext(): void {
    const context = join(folder.path, 'next')
    mkdirSync(context)
    for (const name of ['next-main', 'next-format']) {
      const source = readFileSync(join(REPOSITORY, `test/support/${name}.ts`), 'utf8')
      const options = { module: ModuleKind.ESNext, target: ScriptTarget.ES2022 }
      writeFileSync(join(context, `${name}.js`), transpileModule(source, { compilerOptions: options }).outputText)
    }
    const lines = [
      `FROM ${IMAGE}`,
      'USER 0',
      'COPY *.js /opt/sheaf/test/support/',
      'RUN ln -s dist /opt/sheaf/src && chmod -R a+rX /opt/sheaf/test',
      'USER 10001:10001',
      'ENTRYPOINT ["tini", "--", "node", "/opt/sheaf/test/support/next-main.js"]'
    ]
    writeFileSync(join(context, 'Dockerfile'), `${lines.join('\n')}\n`)
    execFileSync(process.env.DOCKER ?? 'docker', ['build', '--quiet', '--tag', NEXT, context], { stdio: 'pipe' })
  }

  /** As its source says. */
  async function greatestFormatOf(image: string): Promise<number> {
    const code = "import('/opt/sheaf/dist/domain/formats.js').then(formats => console.log(formats.RECORD_FORMATS.max))"
    return Number(await docker('run', '--rm', '--entrypoint', 'node', image, '-e', code))
  }
})
