/*
 * `npm run cluster -- N`: N nodes on this machine, each a process of its own, with HTTP on 8001…, libp2p on 4002…, data
 * under ./data/cluster/1…. Prints each one's ready line; Ctrl-C ends all.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HTTP_PORT = 8000
const P2P_PORT = 4001
const NODES_MAX = 64

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const count = Number(process.argv[2] ?? 3)
if (!Number.isInteger(count) || count < 1 || count > NODES_MAX) {
  console.error(`usage: npm run cluster -- N, with N from 1 to ${NODES_MAX}`)
  process.exit(2)
}

const nodes = Array.from({ length: count }, (_, i) => startNode(i + 1))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const node of nodes) node.kill('SIGTERM')
  })
}

function startNode(number: number): ChildProcess {
  const all = Array.from({ length: count }, (_, i) => `127.0.0.1:${P2P_PORT + i + 1}`)
  const flags = {
    data: join('data', 'cluster', String(number)),
    http: `127.0.0.1:${HTTP_PORT + number}`,
    p2p: `127.0.0.1:${P2P_PORT + number}`,
    join: all.join(),
    mdns: 'off',
    name: `node-${number}`
  }
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)
  const node = spawn(process.execPath, [main, 'start', ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
  node.on('exit', (code, signal) => {
    if (code !== 0) process.exitCode = 1
    if (code !== 0 || signal !== null) console.error(`node-${number} ended: ${signal ?? `exit ${code}`}`)
  })
  return node
}
