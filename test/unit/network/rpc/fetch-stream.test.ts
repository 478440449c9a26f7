import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { type Logger, silentLog } from '../../../../src/core/log.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { fetchOver, serveFetch } from '../../../../src/network/rpc/fetch-stream.js'
import { encodeFrame, type Frame } from '../../../../src/network/rpc/rpc-frames.js'
import type { FetchHandler } from '../../../../src/network/transport.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { memoryChannels } from './memory-channel.js'

const peer = 'requester' as NodeId
const never = new AbortController().signal
const empty = new Uint8Array(0)

function setUp(handler: FetchHandler, seed = 1) {
  const [here, there] = memoryChannels(new SeededRandom(seed))
  const lines: object[] = []
  const log: Logger = { ...silentLog, warn: fields => void lines.push(fields) }
  const serving = serveFetch(there, { peer, log }, new Map([['bulk', handler]]))
  return { here, there, serving, lines }
}

async function readAll(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

const send = (channel: { send(bytes: Uint8Array): boolean }, frame: Frame): void => {
  for (const part of encodeFrame(frame)) channel.send(part)
}

test('the bytes arrive as they were yielded, whatever the pieces; empty ones are skipped', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 }), fc.nat(), async (pieces, seed) => {
      const { here, serving } = setUp(async function* () {
        yield* pieces
        yield new Uint8Array(200_000).fill(7)
      }, seed)
      const expected = Buffer.concat([...pieces, new Uint8Array(200_000).fill(7)])
      expect((await readAll(fetchOver(here, 'bulk', empty, never))).equals(expected)).toBe(true)
      await serving
    }),
    { numRuns: 20 }
  )
})

test('a stream that closes before the end is an error, not an answer', async () => {
  const [here, there] = memoryChannels(new SeededRandom(1))
  const reading = readAll(fetchOver(here, 'bulk', empty, never))
  send(there, { type: 'piece', id: 0, body: Uint8Array.of(1, 2, 3) })
  await there.close()
  await expect(reading).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
})

test('when the reader leaves, the signal of the handler aborts, and the handler ends', async () => {
  let aborted = false
  let finished = false
  const { here, serving } = setUp(async function* (_peer, _body, signal) {
    try {
      yield Uint8Array.of(1)
      await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
      aborted = true
      yield Uint8Array.of(2)
    } finally {
      finished = true
    }
  })
  for await (const _piece of fetchOver(here, 'bulk', empty, never)) break
  await serving
  expect([aborted, finished]).toEqual([true, true])
})

test('other frames than a request, and garbage, end the stream with a line in the log', async () => {
  for (const wrong of [
    encodeFrame({ type: 'cancel', id: 0 })[0] as Uint8Array,
    Buffer.concat(encodeFrame({ type: 'notify', id: 0, method: 'bulk', body: empty })),
    Buffer.from('GET / HTTP/1.1\r\n\r\n')
  ]) {
    let called = false
    const { here, serving, lines } = setUp(async function* () {
      called = true
      yield empty
    })
    here.send(wrong)
    await serving
    expect(lines).toMatchObject([{ code: 'ERR_PEER_PROTOCOL', peer }])
    expect(called).toBe(false)
  }
})

test('frames that are not allowed in an answer end the fetch with ERR_PEER_PROTOCOL', async () => {
  const [here, there] = memoryChannels(new SeededRandom(1))
  const reading = readAll(fetchOver(here, 'bulk', empty, never))
  send(there, { type: 'answer', id: 0, body: Uint8Array.of(1) })
  await expect(reading).rejects.toMatchObject({ code: 'ERR_PEER_PROTOCOL' })
})

test('an error after pieces is thrown after them', async () => {
  const { here } = setUp(async function* () {
    yield Uint8Array.of(1)
    throw new SheafError('ERR_NEEDLE_CORRUPT', 'block 3')
  })
  const seen: number[] = []
  const reading = (async () => {
    for await (const piece of fetchOver(here, 'bulk', empty, never)) seen.push(...piece)
  })()
  await expect(reading).rejects.toMatchObject({ code: 'ERR_NEEDLE_CORRUPT', message: 'block 3' })
  expect(seen).toEqual([1])
})
