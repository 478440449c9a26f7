import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { REPOSITORY, sheaf, temporaryFolder } from '../support/node-process.js'
import { tinyPng } from '../support/photo-maker.js'
import { smallImageNetwork, smallTextNetwork, smallTokenizer, smallTokenizerConfig } from '../support/small-models.js'
import { until } from '../support/until.js'

/*
 * Does what the README says, as a reader would, in a fresh clone: bash runs every `sh` block of README.md and of docs/http.md,
 * in order. A block that starts a node is left running until the next of them. Three things are not as they are written:
 * port 8000 and the address of another machine are replaced, and of the tests one file is run.
 */
const STARTS_NODE = /\b(npm|sheaf) start\b/
const SETTLED_MS_MAX = 90_000
const PICTURE = tinyPng(1, 32)

const folder = temporaryFolder('readme')
const clone = join(folder.path, 'sheaf')
const models = join(folder.path, 'models')

/** What a reader's shell has: nothing of what npm and vitest tell their own children. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(SHEAF_|VITEST|NODE_ENV$|INIT_CWD$|npm_(package|lifecycle)_|npm_config_local_prefix$)/.test(name)
    )
  ),
  npm_config_prefer_offline: 'true',
  SHEAF_HTTP: '127.0.0.1:0',
  SHEAF_P2P: '127.0.0.1:0',
  SHEAF_MDNS: 'off',
  SHEAF_MODEL: 'small',
  SHEAF_MODELS: models
}

describe.sequential('in a fresh clone', () => {
  let node: RunningNode | undefined

  beforeAll(async () => {
    await addSmallModel()
    await run(`git clone --quiet '${REPOSITORY}' '${clone}'`, folder.path)
    writeFileSync(join(clone, 'photo.jpg'), PICTURE)
  })

  afterAll(async () => {
    await node?.stop()
    folder.remove()
  })

  it('the commands of the README do what it says', async () => {
    const blocks = blocksOf('README.md')
    expect(blocks.length).toBeGreaterThanOrEqual(5)
    for (const block of blocks) {
      if (STARTS_NODE.test(block)) {
        await node?.stop()
        node = await RunningNode.start(block)
      } else {
        await node?.untilSettled()
        await run(block, clone, node?.url)
      }
    }
    expect(readFileSync(join(clone, 'copy.jpg'))).toEqual(PICTURE)
  })

  it('so do the examples of docs/http.md', async () => {
    await node?.stop()
    node = await RunningNode.start('npm start')
    await node.untilSettled()
    await run(blocksOf('docs/http.md').join('\n'), clone, node.url)
  })
})

/** A node that a block started, and the shell that runs it. */
class RunningNode {
  readonly url: string
  readonly #shell: ChildProcess

  private constructor(url: string, shell: ChildProcess) {
    this.url = url
    this.#shell = shell
  }

  static async start(block: string): Promise<RunningNode> {
    const shell = startShell(block, clone)
    const output = gather(shell)
    const ended = once(shell, 'close').then(() => Promise.reject(new Error(`no node was started:\n${output.text}`)))
    const ready = new Promise<string>(resolve => {
      shell.stdout?.on('data', () => {
        const line = /^ready (\{.*\})$/m.exec(output.text)?.[1]
        if (line !== undefined) resolve((JSON.parse(line) as { http: string }).http)
      })
    })
    return new RunningNode(await Promise.race([ready, ended]), shell)
  }

  /** The model is loaded, and all photos have been looked at. */
  async untilSettled(): Promise<void> {
    await until('the node has looked at all photos', SETTLED_MS_MAX, async () => {
      const status = (await (await fetch(`${this.url}/status`)).json()) as {
        model: string | null
        index: { pending: number }
      }
      return status.model !== null && status.index.pending === 0
    })
  }

  /** As Ctrl-C does: every process of the shell's group gets the signal. */
  async stop(): Promise<void> {
    if (this.#shell.exitCode !== null || this.#shell.signalCode !== null) return
    const closed = once(this.#shell, 'close')
    process.kill(-(this.#shell.pid as number), 'SIGINT')
    await closed
  }
}

/** @returns the `sh` blocks of a document of the clone, with what this machine may not have replaced */
function blocksOf(path: string): string[] {
  const text = readFileSync(join(clone, path), 'utf8')
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) =>
    block
      .replaceAll('0.0.0.0:8000', '127.0.0.1:0')
      .replaceAll('--join 10.0.0.5', '--join 127.0.0.1:9')
      .replace('npm ci && npm test', 'npm test -- test/unit/core/invariant.test.ts')
  )
}

/** Runs commands to their end. @throws with what they said when one of them fails */
async function run(commands: string, cwd: string, nodeUrl?: string): Promise<void> {
  const shell = startShell(commands, cwd, nodeUrl)
  const output = gather(shell)
  const [code] = (await once(shell, 'close')) as [number | null]
  if (code !== 0) throw new Error(`exit ${code} of:\n${commands}\n${output.text}`)
}

function startShell(commands: string, cwd: string, nodeUrl?: string): ChildProcess {
  const host = nodeUrl?.replace('http://', '') ?? 'localhost:8000'
  const script = `set -euo pipefail\n${commands.replaceAll('localhost:8000', host)}`
  const env = { ...environment, ...(nodeUrl !== undefined && { SHEAF_NODE: nodeUrl }) }
  // a group of its own, to signal it whole
  return spawn('bash', ['-c', script], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
}

function gather(shell: ChildProcess): { text: string } {
  const output = { text: '' }
  for (const stream of [shell.stdout, shell.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output.text += text
    })
  }
  return output
}

/** So that nothing of 85 MB is downloaded. */
async function addSmallModel(): Promise<void> {
  const files = {
    'vision.onnx': smallImageNetwork(),
    'text.onnx': smallTextNetwork(),
    'tokenizer.json': smallTokenizer(),
    'tokenizer_config.json': smallTokenizerConfig()
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder.path, name), content)
  const [vision, text, tokenizer] = Object.keys(files).map(name => join(folder.path, name)) as [string, string, string]
  const pair = ['--image', vision, '--text', text, '--tokenizer', tokenizer, '--mean', '0,0,0', '--std', '1,1,1']
  expect(await sheaf(['models', 'add', 'small', ...pair, '--models', models])).toMatchObject({ code: 0 })
}
