import { expect, test } from 'vitest'
import { carried, LINKS_MAX, traced } from '../../../src/core/tracing.js'
import { RecordingTracer } from '../../support/recording-tracer.js'

test('without a tracer the work is done, and its span is not even described', async () => {
  const describe = (): never => {
    throw new Error('nobody asks')
  }
  expect(await traced(undefined, 'apply', describe, async span => [span, 7])).toEqual([undefined, 7])
})

test('work is the current span for what follows from it, and ends it', async () => {
  const tracer = new RecordingTracer()
  const result = await traced(
    tracer,
    'commit',
    () => ({ kind: 'server', attributes: { needles: 2 } }),
    async span => {
      await Promise.resolve()
      await traced(
        tracer,
        'apply',
        () => ({}),
        async () => {}
      )
      expect(tracer.current()).toBe(span?.traceParent)
      return 7
    }
  )
  expect(result).toBe(7)
  expect(tracer.current()).toBeUndefined()
  const [outer, inner] = tracer.spans
  expect(outer).toMatchObject({ name: 'commit', kind: 'server', parent: undefined, failure: undefined, isEnded: true })
  expect(inner).toMatchObject({ name: 'apply', parent: outer?.traceParent, isEnded: true })
})

test('work that fails says so in its span', async () => {
  const tracer = new RecordingTracer()
  const failure = new Error('planted')
  const failing = traced(
    tracer,
    'apply',
    () => ({}),
    () => Promise.reject(failure)
  )
  await expect(failing).rejects.toBe(failure)
  expect(tracer.only('apply')).toMatchObject({ failure, isEnded: true })
})

test('of what a batch carries, one is the parent and the others are links, each once and not too many', () => {
  expect(carried([])).toEqual({ parent: null, links: [] })
  expect(carried(['a', 'b', 'a', 'c', 'b'])).toEqual({ parent: 'a', links: ['b', 'c'] })
  const { links } = carried(Array.from({ length: 1_000 }, (_, i) => `${i}`))
  expect(links).toHaveLength(LINKS_MAX)
})
