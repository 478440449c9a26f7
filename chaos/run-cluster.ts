/*
 * `npm run cluster -- N`: N nodes on this machine, each a process of its own, with HTTP on 8001…, libp2p on 4002…, data
 * under ./data/cluster/1…; Ctrl-C ends all. Their logs go to stderr, each line behind the name of its node, and three lines
 * that sum up once all are ready. Stdout has nothing but their ready lines, as the nodes print them, and on a terminal
 * not even those.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { prettyFactory } from 'pino-pretty'
import { LINES_FOR_PEOPLE } from '../src/node-log.js'

const HTTP_PORT = 8000
const P2P_PORT = 4001
const NODES_MAX = 64
const FOLDER = join('data', 'cluster')

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const count = Number(process.argv[2] ?? 3)
if (!Number.isInteger(count) || count < 1 || count > NODES_MAX) {
  console.error(`usage: npm run cluster -- N, with N from 1 to ${NODES_MAX}`)
  process.exit(2)
}

const forPeople = process.stderr.isTTY ? prettyFactory(LINES_FOR_PEOPLE) : (line: string) => line
const urls: string[] = []
const nodes = Array.from({ length: count }, (_, i) => startNode(i + 1))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const node of nodes) node.kill('SIGTERM')
  })
}

function startNode(number: number): ChildProcess {
  const all = Array.from({ length: count }, (_, i) => `127.0.0.1:${P2P_PORT + i + 1}`)
  const name = `n${number}`
  const flags = {
    data: join(FOLDER, String(number)),
    http: `127.0.0.1:${HTTP_PORT + number}`,
    'advertise-http': `http://127.0.0.1:${HTTP_PORT + number}`,
    p2p: `127.0.0.1:${P2P_PORT + number}`,
    join: all.join(),
    mdns: 'off',
    name
  }
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)
  const node = spawn(process.execPath, [main, 'start', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  linesOf(node.stdout, noteReady)
  linesOf(node.stderr, line => console.error(`${name} │ ${forPeople(line).trimEnd()}`))
  node.on('exit', (code, signal) => {
    if (code !== 0) process.exitCode = 1
    if (code !== 0 || signal !== null) console.error(`${name} ended: ${signal ?? `exit ${code}`}`)
  })
  return node
}

function linesOf(stream: Readable, use: (line: string) => void): void {
  createInterface({ input: stream }).on('line', use)
}

function noteReady(line: string): void {
  if (!process.stdout.isTTY) console.log(line)
  const ready = /^ready (\{.*\})$/.exec(line)?.[1]
  if (ready === undefined) return
  urls.push((JSON.parse(ready) as { http: string }).http)
  if (urls.length < count) return
  console.error(`All nodes are ready: ${urls.sort().join(', ')}. Ctrl-C stops them.`)
  console.error(`Their data is in ${resolve(FOLDER)}, a folder each.`)
  console.error(`Who is there: npx sheaf members --node ${urls[0]}`)
}
