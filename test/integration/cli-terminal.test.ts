import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MAIN } from '../support/node-process.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { answerJson, bodyOf, fakeNode, tokenFile } from './cli-harness.js'

const CTRL_C = '\x03'

/** `script` of util-linux gives a command a terminal of its own; the one of BSD takes other flags. */
const hasTerminals = spawnSync('script', ['--version']).stdout?.includes('util-linux') === true

/** A program whose stdout, and stderr unless it is redirected, is a terminal. */
class ProgramOnTerminal {
  readonly #script: ChildProcessByStdio<Writable, Readable, null>
  #output = ''

  constructor(command: string) {
    const args = ['--quiet', '--flush', '--return', '--command', `exec ${command}`, '/dev/null']
    this.#script = spawn('script', args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH ?? '', SHELL: '/bin/sh', TERM: 'dumb' }
    })
    onTestFinished(() => void this.#script.kill('SIGKILL'))
    this.#script.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text
    })
  }

  /** @returns what was written, once `wanted` is in it. @throws when the program ends before */
  async until(wanted: RegExp): Promise<string> {
    while (!wanted.test(this.#output)) {
      const [event] = await Promise.race([
        once(this.#script.stdout, 'data').then(() => ['data']),
        once(this.#script, 'close').then(() => ['close'])
      ])
      if (event === 'close') throw new Error(`ended without ${wanted}: ${this.#output}`)
    }
    return this.#output
  }

  async type(keys: string): Promise<number | null> {
    this.#script.stdin.write(keys)
    const [code] = await once(this.#script, 'close')
    return code
  }
}

describe.skipIf(!hasTerminals)('on a terminal', () => {
  test('a start says in words what a person needs, and Ctrl-C stops it with exit 0', async () => {
    const folder = await temporaryDirectory()
    const flags = `--data ${folder}/data --http 127.0.0.1:0 --p2p 127.0.0.1:0 --model none`
    const program = new ProgramOnTerminal(`${process.execPath} ${MAIN} start ${flags}`)
    const output = await program.until(/start with --cluster-key key\r\n/)
    expect(output).not.toContain('ready {')
    expect(output).toContain(`  Data    ${join(folder, 'data')}\r\n`)
    const token = (await readFile(join(folder, 'data', 'operator.token'), 'utf8')).trim()
    expect(output).toContain(`/#operator=${token}\r\n`)
    const url = /running at (http:\/\/127\.0\.0\.1:\d+)\. /.exec(output)?.[1]
    expect((await fetch(`${url}/health/ready`)).status).toBe(200)
    expect(await program.type(CTRL_C)).toBe(0)
  })

  test('only stdout decides: a log that goes to a file is JSON all the same', async () => {
    const folder = await temporaryDirectory()
    const flags = `--data ${folder}/data --http 127.0.0.1:0 --p2p 127.0.0.1:0 --model none`
    const program = new ProgramOnTerminal(`${process.execPath} ${MAIN} start ${flags} 2> ${folder}/log`)
    const output = await program.until(/start with --cluster-key key\r\n/)
    expect(output.trim()).toMatch(/^Sheaf is running/)
    expect(await program.type(CTRL_C)).toBe(0)
    const log = (await readFile(join(folder, 'log'), 'utf8')).trim().split('\n')
    expect(log.map(line => JSON.parse(line).msg)).toContain('ready')
  })

  test('what cannot be undone is asked, and only yes is yes', async () => {
    const asked: string[] = []
    const node = await fakeNode((request, response) => {
      asked.push(request.url ?? '')
      answerJson(response, 202, { job_id: 'x', kind: 'compact', state: 'done', result: { freed_bytes: 5 } })
    })
    for (const [keys, code, ended] of [
      ['n\r', 1, /nothing was changed\r\n$/],
      [CTRL_C, 130, /\^C$/],
      ['y\r', 0, /freed {2}5 B\r\n$/]
    ] as const) {
      const program = new ProgramOnTerminal(
        `${process.execPath} ${MAIN} compact --now --node ${node} --token-file ${tokenFile()}`
      )
      await program.until(/Continue\? \[y\/N\] $/)
      expect(asked).toEqual([])
      expect(await program.type(keys)).toBe(code)
      await program.until(ended)
    }
    expect(asked).toEqual(['/v1/admin/compact?now=true'])
  })
  test('a password does not show, and Ctrl-C ends the command that asks for it', async () => {
    const home = await temporaryDirectory()
    const tokens = { access_token: 'a', refresh_token: 'b', expires_at: '2099-01-01T00:00:00Z' }
    const sent: unknown[] = []
    const node = await fakeNode(async (request, response) => {
      sent.push(JSON.parse((await bodyOf(request)).toString()).password)
      answerJson(response, 200, tokens)
    })
    for (const [keys, code, ended] of [
      [CTRL_C, 2, /interrupted/],
      ['secrets\x7f 1\r', 0, /logged in to http:\S+ as anna\r\n$/]
    ] as const) {
      const program = new ProgramOnTerminal(
        `env HOME=${home} TERM=vt100 ${process.execPath} ${MAIN} login anna --node ${node}`
      )
      await program.until(/Password of anna: $/)
      expect(await program.type(keys)).toBe(code)
      expect(await program.until(ended)).not.toContain('secret')
    }
    expect(sent).toEqual(['secret 1'])
  })
})
