import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { onTestFinished } from 'vitest'
import { type CliComponents, runCli } from '../../src/cli/cli.js'
import type { OpenFolder } from '../../src/cli/commands/export.js'
import type { FlagHint } from '../../src/cli/shell/completion-scripts.js'
import type { Input } from '../../src/cli/shell/confirmation.js'
import type { Output } from '../../src/cli/shell/terminal.js'
import { systemClock } from '../../src/core/clock.js'
import { holdProcess } from '../../src/core/hold-process.js'
import { systemRandom } from '../../src/core/random.js'
import { OPERATOR_TOKEN } from '../support/http-fixture.js'

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly bytes: Buffer
  readonly stderr: string
}

export interface CliOptions extends Partial<Pick<CliComponents, 'clock' | 'random' | 'signal' | 'environment'>> {
  /** Its operator's token is {@link OPERATOR_TOKEN}. */
  readonly node?: string
  readonly startFlags?: readonly FlagHint[]
  /** Default: there is none. */
  readonly openFolder?: OpenFolder
  readonly stdoutIsTerminal?: boolean
  readonly stderrIsTerminal?: boolean
  /** What a person types on a terminal; default: stdin is none. */
  readonly typed?: string
  /** What another program writes to stdin. */
  readonly piped?: string
  /** Nor does stdin end. */
  readonly neverTyped?: boolean
}

/** Runs one client command in this process. */
export async function cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const stdout = sink(options.stdoutIsTerminal === true)
  const stderr = sink(options.stderrIsTerminal === true)
  const letGo = holdProcess()
  try {
    const code = await runCli(
      args,
      {
        clock: options.clock ?? systemClock,
        random: options.random ?? systemRandom,
        signal: options.signal ?? new AbortController().signal,
        environment:
          options.environment ??
          (options.node === undefined ? {} : { SHEAF_NODE: options.node, SHEAF_TOKEN_FILE: tokenFile() }),
        stdin: () => stdinOf(options),
        stdout: stdout.output,
        stderr: stderr.output
      },
      {
        version: '0.0.0',
        start: { flags: options.startFlags ?? [], help: () => 'the settings\n', run: async () => 0 },
        restoreBackup: () => Promise.reject(new Error('nothing is restored here')),
        openFolder: options.openFolder ?? (folder => Promise.reject(new Error(`${folder} is not there`)))
      }
    )
    const bytes = Buffer.concat(stdout.pieces)
    return { code, stdout: bytes.toString(), bytes, stderr: Buffer.concat(stderr.pieces).toString() }
  } finally {
    letGo()
  }
}

let tokenPath: string | undefined

/** @returns a file with the token of the nodes that tests start in their own process */
export function tokenFile(): string {
  if (tokenPath === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'sheaf-token-'))
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
    tokenPath = join(folder, 'token')
    writeFileSync(tokenPath, `${OPERATOR_TOKEN}\n`)
  }
  return tokenPath
}

function stdinOf({ typed, piped = '', neverTyped = false }: CliOptions): Input {
  const stream = neverTyped ? new Readable({ read: () => {} }) : Readable.from([typed ?? piped])
  return Object.assign(stream, { isTTY: typed !== undefined })
}

function sink(isTTY: boolean): { output: Output; pieces: Buffer[] } {
  const pieces: Buffer[] = []
  const stream = new Writable({
    write: (piece: Buffer, _encoding, done) => {
      pieces.push(piece)
      done()
    }
  })
  return { output: Object.assign(stream, { isTTY, columns: 120 }), pieces }
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A server that answers as the test wants. @returns its URL */
export async function fakeNode(handler: Handler): Promise<string> {
  const server = createServer(handler)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export function answerJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' })
  response.end(JSON.stringify(value))
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}
