import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { NodeProcess, temporaryFolder } from '../support/node-process.js'
import { until } from '../support/until.js'

/** A span as OTLP over HTTP has it in JSON, as far as these tests look at it. */
interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[]
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: OtlpSpan['attributes'] }
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[]
  }[]
}

interface Collected extends OtlpSpan {
  /** The name of the node. */
  readonly node: unknown
}

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CLIENT_SPAN = 'b7ad6b7169203331'

let folder: ReturnType<typeof temporaryFolder>
let collector: Server
let collected: Collected[]
let paths: Set<string | undefined>
const nodes: NodeProcess[] = []

beforeEach(async () => {
  folder = temporaryFolder('traces')
  collected = []
  paths = new Set()
  collector = createServer((request, response) => {
    paths.add(request.url)
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const { resourceSpans } = JSON.parse(Buffer.concat(pieces).toString()) as Export
      for (const { resource, scopeSpans } of resourceSpans) {
        const node = attribute(resource, 'host.name')
        for (const { spans } of scopeSpans) collected.push(...spans.map(span => ({ ...span, node })))
      }
      response.setHeader('content-type', 'application/json').end('{}')
    })
  })
  await new Promise<void>(resolve => collector.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.kill9()
  collector.closeAllConnections()
  await new Promise(resolve => collector.close(resolve))
  folder.remove()
})

function attribute({ attributes }: Pick<OtlpSpan, 'attributes'>, name: string): unknown {
  return Object.values(attributes.find(({ key }) => key === name)?.value ?? {})[0]
}

async function start(name: string, ...flags: readonly string[]): Promise<NodeProcess> {
  const node = await NodeProcess.start({ dataDir: join(folder.path, name), flags: ['--name', name, ...flags] })
  nodes.push(node)
  return node
}

async function put(node: NodeProcess, headers: Record<string, string> = {}): Promise<void> {
  const answer = await fetch(`${node.url}/v1/photos?filename=a.txt`, { method: 'PUT', body: 'bytes', headers })
  expect(answer.status).toBe(201)
}

const endpoint = (): string => `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
/** @returns the span and all above it that have come */
function upwards(span: Collected): readonly Collected[] {
  const parent = collected.find(({ spanId }) => spanId === span.parentSpanId)
  return [span, ...(parent === undefined ? [] : upwards(parent))]
}

test('an upload is traced from the request of the client to the disk of another node', async () => {
  const red = await start('red', '--otlp', endpoint())
  const blue = await start('blue', '--otlp', `${endpoint()}/`, '--join', red.p2p)
  await until('the nodes see each other', 90_000, async () => {
    const { members } = (await (await fetch(`${blue.url}/cluster`)).json()) as { members: { state: string }[] }
    return members.filter(({ state }) => state === 'alive').length === 2
  })
  let chain: readonly Collected[] = []
  // again and again: what a node pulls already when the news of it come is in no trace
  await until('a trace is complete', 60_000, async () => {
    await put(red, { traceparent: `00-${TRACE}-${CLIENT_SPAN}-01` })
    chain =
      collected
        .filter(({ name }) => name === 'apply')
        .map(upwards)
        .find(spans => spans.length === 5) ?? []
    return chain.length > 0
  })
  const names = chain.map(({ node, name }) => `${node}: ${name}`)
  expect(names).toEqual(['blue: apply', 'red: ship', 'red: commit', 'red: append', 'red: PUT /v1/photos'])
  const request = chain.at(-1) as Collected
  expect([request.traceId, request.parentSpanId]).toEqual([TRACE, CLIENT_SPAN])
  expect(attribute(request, 'http.response.status_code')).toBe(201)
  for (const { startTimeUnixNano, endTimeUnixNano } of collected)
    expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano))
  expect([...paths]).toEqual(['/v1/traces'])
})

test('what a client has decided not to record is not recorded; what begins here is, in proportion', async () => {
  const all = await start('all', '--otlp', endpoint())
  const none = await start('none', '--otlp', endpoint(), '--otlp-ratio', '0')
  await put(all, { traceparent: `00-${TRACE}-${CLIENT_SPAN}-00` })
  await put(none)
  await put(none, { traceparent: `00-${TRACE}-${CLIENT_SPAN}-01` })
  await put(all, { traceparent: 'nonsense' })
  // the stop sends what is left
  for (const node of nodes) await node.stop()
  const puts = collected.filter(({ name }) => name === 'PUT /v1/photos')
  expect(puts.map(({ node, traceId }) => `${node} ${traceId === TRACE}`).sort()).toEqual(['all false', 'none true'])
})

test('a collector that is not there costs spans and a line in the log, nothing else', async () => {
  const node = await start('lone', '--otlp', 'http://127.0.0.1:1')
  await put(node)
  expect(await node.stop()).toBe(0)
  const lines = node.log().filter(({ msg }) => msg === 'the collector of traces does not take spans; they are lost')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({ level: 40, url: 'http://127.0.0.1:1/v1/traces', spans: expect.any(Number) })
})
