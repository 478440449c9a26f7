import { setMaxListeners } from 'node:events'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { type Logger, silentLog } from '../../../../src/core/log.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { RpcCaller } from '../../../../src/network/rpc/rpc-caller.js'
import { encodeFrame, type Frame, FrameParser } from '../../../../src/network/rpc/rpc-frames.js'
import { RpcResponder } from '../../../../src/network/rpc/rpc-responder.js'
import type { RequestHandler } from '../../../../src/network/transport.js'
import { type Deferred, deferred } from '../../../support/deferred.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { type MemoryChannel, memoryChannels } from './memory-channel.js'

const MIB = 2 ** 20
const peer = 'requester' as NodeId
const never = new AbortController().signal
setMaxListeners(0, never)
const bytes = (text: string): Uint8Array => Buffer.from(text)
const text = (body: Uint8Array): string => Buffer.from(body).toString()
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn()
}

/** Collects the warnings and errors. */
function collectingLog(): { readonly log: Logger; readonly lines: object[] } {
  const lines: object[] = []
  const take = (fields: object, message: string): void => void lines.push({ ...fields, message })
  return { lines, log: { ...silentLog, warn: take, error: take } }
}

function setUp(handlers: Record<string, RequestHandler>, seed = 1) {
  const [here, there] = memoryChannels(new SeededRandom(seed))
  const { log, lines } = collectingLog()
  const caller = new RpcCaller(here)
  const responder = new RpcResponder({
    channel: there,
    requester: { peer, log },
    handlers: new Map(Object.entries(handlers))
  })
  const calling = caller.run()
  const responding = responder.run()
  return { here, there, caller, calling, responding, lines }
}

/** One end of a channel, played by the test frame by frame. */
function playedEnd(channel: MemoryChannel) {
  const frames: Frame[] = []
  void (async () => {
    const parser = new FrameParser()
    for await (const piece of channel.read()) frames.push(...parser.push(piece))
  })().catch(() => {}) // ends with the channel
  return {
    frames,
    send: (frame: Frame): void => {
      for (const part of encodeFrame(frame)) channel.send(part)
    }
  }
}

test('each request gets its own answer, in whatever order and pieces they come', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 2_000 }), { maxLength: 30 }),
      fc.nat(),
      async (bodies, seed) => {
        const random = new SeededRandom(seed)
        const { caller } = setUp(
          {
            echo: async (_peer, body) => {
              for (let turns = random.below(4); turns > 0; turns--) await turn()
              return body
            }
          },
          seed
        )
        const answers = await Promise.all(bodies.map(body => caller.request('echo', body, never)))
        expect(answers.map(answer => [...answer])).toEqual(bodies.map(body => [...body]))
      }
    ),
    { numRuns: 30 }
  )
})

test('requests of one turn are sent together', async () => {
  const { here, caller } = setUp({ echo: async (_peer, body) => body })
  await Promise.all(Array.from({ length: 100 }, () => caller.request('echo', bytes('x'), never)))
  expect(here.sends).toBeLessThan(5)
})

test('garbage ends the stream and pending calls, with one line in the log, and throws nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(), async (garbage, seed) => {
      const [here, there] = memoryChannels(new SeededRandom(seed))
      const { log, lines } = collectingLog()
      const responding = new RpcResponder({ channel: there, requester: { peer, log }, handlers: new Map() }).run()
      here.send(garbage)
      await here.close()
      await responding
      expect(lines.length).toBeLessThanOrEqual(1)

      const [mine, theirs] = memoryChannels(new SeededRandom(seed))
      const caller = new RpcCaller(mine)
      const calling = caller.run()
      const waiting = caller.request('wait', bytes(''), never).catch((err: unknown) => err)
      theirs.send(garbage)
      await theirs.close()
      const fault = await calling
      expect(fault === undefined || fault.code === 'ERR_PEER_PROTOCOL').toBe(true)
      expect(await waiting).toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
      expect(caller.ended).toBe(true)
    })
  )
})

test('a frame of a type that is not allowed ends the stream', async () => {
  for (const wrong of [
    { type: 'answer', id: 1, body: bytes('') },
    { type: 'piece', id: 1, body: bytes('x') },
    { type: 'end', id: 1 }
  ] as const) {
    const [here, there] = memoryChannels(new SeededRandom(1))
    const { log, lines } = collectingLog()
    const responding = new RpcResponder({ channel: there, requester: { peer, log }, handlers: new Map() }).run()
    playedEnd(here).send(wrong)
    await responding
    expect(lines).toMatchObject([{ code: 'ERR_PEER_PROTOCOL', peer }])
  }
  for (const wrong of [
    { type: 'request', id: 1, method: 'a', body: bytes('') },
    { type: 'cancel', id: 1 }
  ] as const) {
    const [here, there] = memoryChannels(new SeededRandom(1))
    const calling = new RpcCaller(here).run()
    playedEnd(there).send(wrong)
    expect(await calling).toMatchObject({ code: 'ERR_PEER_PROTOCOL' })
  }
})

test('two requests in flight must not share an id', async () => {
  const [here, there] = memoryChannels(new SeededRandom(1))
  const { log, lines } = collectingLog()
  const started: AbortSignal[] = []
  const wait: RequestHandler = async (_peer, _body, signal) => {
    started.push(signal)
    await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    return bytes('')
  }
  const responding = new RpcResponder({
    channel: there,
    requester: { peer, log },
    handlers: new Map([['wait', wait]])
  }).run()
  const end = playedEnd(here)
  for (let i = 0; i < 2; i++) end.send({ type: 'request', id: 7, method: 'wait', body: bytes('') })
  await responding
  expect(started.map(({ aborted }) => aborted)).toEqual([true])
  expect(lines).toMatchObject([{ code: 'ERR_PEER_PROTOCOL' }])
})

test('an answer to a canceled call is dropped', async () => {
  const [here, there] = memoryChannels(new SeededRandom(1))
  const caller = new RpcCaller(here)
  void caller.run()
  const end = playedEnd(there)
  const controller = new AbortController()
  const answer = caller.request('a', bytes(''), controller.signal).catch((err: unknown) => err)
  await until(() => end.frames.length === 1)
  controller.abort(new Error('enough'))
  expect(await answer).toBe(controller.signal.reason)
  await until(() => end.frames.length === 2)
  expect(end.frames).toMatchObject([
    { type: 'request', id: 1 },
    { type: 'cancel', id: 1 }
  ])
  end.send({ type: 'answer', id: 1, body: bytes('late') })
  const next = caller.request('a', bytes(''), never)
  await until(() => end.frames.length === 3)
  end.send({ type: 'answer', id: 2, body: bytes('in time') })
  expect(text(await next)).toBe('in time')
})

test('the caller has at most 256 requests and 16 MiB in flight; the others wait and can give up', async () => {
  const [here, there] = memoryChannels(new SeededRandom(1))
  const caller = new RpcCaller(here)
  void caller.run()
  const end = playedEnd(there)
  const asked = (): number => end.frames.filter(({ type }) => type === 'request').length
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  const requests = Array.from({ length: 300 }, () => caller.request('a', bytes('x'), controller.signal))
  for (const request of requests) request.catch(() => {}) // asserted below
  await until(() => asked() >= 256)
  await turn()
  expect(asked()).toBe(256)
  end.send({ type: 'answer', id: 1, body: bytes('y') })
  expect(text((await requests[0]) as Uint8Array)).toBe('y')
  await until(() => asked() === 257)
  controller.abort(new Error('enough'))
  expect((await Promise.allSettled(requests)).filter(({ status }) => status === 'rejected')).toHaveLength(299)

  for (let i = 0; i < 6; i++) caller.request('a', new Uint8Array(4 * MIB), never).catch(() => {})
  await until(() => asked() >= 257 + 4)
  await turn()
  expect(asked()).toBe(257 + 4)
  here.abort(new Error('over'))
})

test('the responder handles at most 256 requests at once, and stops reading', async () => {
  const working: Deferred<void>[] = []
  const [here, there] = memoryChannels(new SeededRandom(1))
  const hold: RequestHandler = async () => {
    const held = deferred<void>()
    working.push(held)
    await held.promise
    return bytes('')
  }
  void new RpcResponder({
    channel: there,
    requester: { peer, log: silentLog },
    handlers: new Map([['hold', hold]])
  }).run()
  const end = playedEnd(here)
  for (let id = 1; id <= 400; id++) end.send({ type: 'request', id, method: 'hold', body: bytes('') })
  await until(() => working.length === 256)
  await turn()
  expect(working).toHaveLength(256)
  for (const held of working.splice(0, 100)) held.resolve()
  await until(() => end.frames.length === 100 && working.length === 256 - 100 + 100)
})

test('the responder stops handling requests while answers are not read', async () => {
  let asked = 0
  const [here, there] = memoryChannels(new SeededRandom(1))
  const large: RequestHandler = async () => {
    asked++
    return new Uint8Array(MIB)
  }
  void new RpcResponder({
    channel: there,
    requester: { peer, log: silentLog },
    handlers: new Map([['large', large]])
  }).run()
  for (let id = 1; id <= 100; id++) {
    for (const part of encodeFrame({ type: 'request', id, method: 'large', body: bytes('') })) here.send(part)
  }
  for (let i = 0; i < 100; i++) await turn()
  expect(asked).toBeGreaterThan(4)
  expect(asked).toBeLessThan(20)
  const parser = new FrameParser()
  let answers = 0
  for await (const piece of here.read()) {
    answers += [...parser.push(piece)].length
    if (answers === 100) break
  }
  expect(asked).toBe(100)
})

test('notifications are dropped when too many wait to be sent, and after the stream has ended', async () => {
  const [here] = memoryChannels(new SeededRandom(1))
  const caller = new RpcCaller(here)
  void caller.run()
  const taken = Array.from({ length: 10 }, () => caller.notify('hint', new Uint8Array(MIB)))
  expect(taken.filter(Boolean)).toHaveLength(3)
  here.abort(new Error('over'))
  await until(() => caller.ended)
  expect(caller.notify('hint', bytes(''))).toBe(false)
})

test('protocol violations are logged once per stream; defects of handlers each time', async () => {
  const { caller, lines } = setUp({
    picky: async () => {
      throw new SheafError('ERR_PEER_PROTOCOL', 'no map')
    },
    missing: async () => {
      throw new SheafError('ERR_NO_SUCH_VOLUME')
    },
    bug: async () => {
      throw new TypeError('oops')
    }
  })
  const codes: unknown[] = []
  for (const method of ['picky', 'picky', 'no.such', 'missing', 'bug', 'bug']) {
    await caller.request(method, bytes(''), never).catch(({ code }) => codes.push(code))
  }
  expect(codes).toEqual([
    ...['ERR_PEER_PROTOCOL', 'ERR_PEER_PROTOCOL', 'ERR_PEER_PROTOCOL', 'ERR_NO_SUCH_VOLUME'],
    ...['ERR_INTERNAL', 'ERR_INTERNAL']
  ])
  expect(lines).toMatchObject([
    { code: 'ERR_PEER_PROTOCOL', reason: 'no map' },
    { err: { message: 'oops' } },
    { err: { message: 'oops' } }
  ])
})

test('when the stream ends, calls fail, and the signals of handlers abort; `run` waits for the handlers', async () => {
  const handling = deferred<AbortSignal>()
  const finish = deferred<void>()
  const { here, caller, responding } = setUp({
    wait: async (_peer, _body, signal) => {
      handling.resolve(signal)
      await finish.promise
      return bytes('')
    }
  })
  const answer = caller.request('wait', bytes(''), never).catch((err: unknown) => err)
  const signal = await handling.promise
  here.abort(new Error('cut'))
  expect(await answer).toMatchObject({ code: 'ERR_PEER_UNREACHABLE', cause: { message: 'cut' } })
  await until(() => signal.aborted)
  let over = false
  void responding.then(() => {
    over = true
  })
  await turn()
  expect(over).toBe(false)
  finish.resolve()
  await responding
  await expect(caller.request('wait', bytes(''), never)).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
})
