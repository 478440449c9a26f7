import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type Logger, silentLog } from '../../src/core/log.js'
import { OtlpTracer } from '../../src/telemetry/otlp-tracer.js'
import { SimulatedClock } from '../support/simulated-clock.js'

/** Hands a span to a collector that answers so, and stops. @param asked - called once the collector has the span */
async function stopWith(answer: RequestListener, asked: (clock: SimulatedClock) => Promise<void>): Promise<object[]> {
  const clock = new SimulatedClock()
  const lines: object[] = []
  const log: Logger = { ...silentLog, warn: fields => void lines.push(fields) }
  let stopped: Promise<void> | undefined
  await new Promise<void>((resolve, reject) => {
    const collector = createServer((request, response) => {
      request.resume()
      answer(request, response)
      asked(clock).then(resolve, reject)
    })
    onTestFinished(() => {
      collector.closeAllConnections()
      collector.close()
    })
    collector.listen(0, '127.0.0.1', () => {
      const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
      const tracer = new OtlpTracer({ clock, log }, { endpoint, ratio: 1, nodeId: 'n', name: 'n', version: '1' })
      tracer.begin('search').end()
      stopped = tracer.stop()
    })
  })
  await stopped
  return lines
}

test.each<[string, RequestListener]>([
  ['does not answer', () => {}],
  ['begins to answer, and never ends', (_, response) => void response.writeHead(200).write('{')]
])('a collector that %s does not keep the node from stopping', async (_, answer) => {
  const lines = await stopWith(answer, clock => clock.advance(5_000))
  expect(lines).toMatchObject([{ reason: expect.stringContaining('within 5 s'), spans: 1 }])
})

test('what a collector says is bounded in the log', async () => {
  const lines = await stopWith(
    (_, response) => void response.writeHead(400).end('x'.repeat(100_000)),
    async () => {}
  )
  expect(lines).toMatchObject([{ code: 400, spans: 1 }])
  expect(JSON.stringify(lines).length).toBeLessThan(1_000)
})
