import { describe, expect, it } from 'vitest'
import { type Circumstances, type JudgedRequest, judgeAvailability } from '../../checkers/availability.js'

const WELL: Circumstances = {
  deadlineMs: 5_000,
  faultOfNode: undefined,
  mayBeUnknown: false,
  mayBeDeleted: false,
  mayBeDamaged: false,
  mayNotKnowAsker: false,
  mayBeRefused: false,
  mayLackModel: false,
  mayLackBytes: false
}
const answered = (status: number, code?: string, tookMs = 20): JudgedRequest => ({ tookMs, status, code })

describe('a request to a running node', () => {
  it('is served in time', () => {
    expect(judgeAvailability(answered(200), WELL)).toBe('served')
    expect(judgeAvailability(answered(503, 'ERR_TOO_FEW_COPIES'), WELL)).toBe('served')
    expect(judgeAvailability(answered(200, undefined, 5_200), WELL)).toEqual({ problem: '200 only after 5200 ms' })
  })

  it('gets an answer', () => {
    const silent = { tookMs: 15_000, status: undefined, code: undefined }
    expect(judgeAvailability(silent, WELL)).toEqual({ problem: 'no answer after 15000 ms' })
    expect(judgeAvailability(silent, { ...WELL, faultOfNode: 'the node stood still' })).toEqual({
      excuse: 'the node stood still'
    })
  })

  it.each([['ERR_OVERLOADED'], ['ERR_DIRECTORY_UNAVAILABLE'], ['ERR_STOPPING'], ['ERR_BYTES_UNREACHABLE']])(
    'is not refused with 503 %s',
    code => {
      expect(judgeAvailability(answered(503, code), WELL)).toEqual({ problem: `503 ${code}` })
    }
  )

  it.each([
    [404, 'ERR_PHOTO_NOT_FOUND', { mayBeUnknown: true }],
    [410, 'ERR_PHOTO_DELETED', { mayBeDeleted: true }]
  ] as const)('is refused with %i only where that is due', (status, code, due) => {
    expect(judgeAvailability(answered(status, code), WELL)).toEqual({ problem: `${status} ${code}` })
    expect(judgeAvailability(answered(status, code), { ...WELL, ...due })).toBe('served')
  })

  it('is refused with 404 and 503, in time, where files were harmed', () => {
    const harmed = { ...WELL, mayBeDamaged: true }
    const excuse = { excuse: 'its files had been harmed' }
    expect(judgeAvailability(answered(404), harmed)).toEqual(excuse)
    expect(judgeAvailability(answered(503, 'ERR_DIRECTORY_UNAVAILABLE'), harmed)).toEqual(excuse)
    expect(judgeAvailability(answered(500), harmed)).toEqual({ problem: '500' })
    expect(judgeAvailability(answered(503, undefined, 5_200), harmed)).toEqual({ problem: '503 only after 5200 ms' })
  })

  it('is refused with 401 and 403, in time, where the node cannot know who asks', () => {
    const unknowing = { ...WELL, mayNotKnowAsker: true }
    const excuse = { excuse: 'it could not know who asked' }
    for (const status of [401, 403]) {
      expect(judgeAvailability(answered(status), unknowing)).toEqual(excuse)
      expect(judgeAvailability(answered(status), WELL)).toEqual({ problem: `${status}` })
    }
    expect(judgeAvailability(answered(404), unknowing)).toEqual({ problem: '404' })
    expect(judgeAvailability(answered(401, undefined, 5_200), unknowing)).toEqual({ problem: '401 only after 5200 ms' })
  })

  it('may lack bytes that no node in reach has', () => {
    const excuse = { excuse: 'its bytes were on no node in reach' }
    const lacking = { ...WELL, mayLackBytes: true }
    expect(judgeAvailability(answered(503, 'ERR_BYTES_UNREACHABLE'), lacking)).toEqual(excuse)
    const cutOff = { tookMs: 95, status: undefined, code: undefined }
    expect(judgeAvailability(cutOff, lacking)).toEqual(excuse)
    expect(judgeAvailability(cutOff, WELL)).toEqual({ problem: 'no answer after 95 ms' })
    expect(judgeAvailability({ ...cutOff, tookMs: 5_001 }, lacking)).toEqual({ problem: 'no answer after 5001 ms' })
    expect(judgeAvailability(answered(200, undefined, 5_200), lacking)).toEqual({ problem: '200 only after 5200 ms' })
    expect(judgeAvailability(answered(200), lacking)).toBe('served')
  })

  it('is excused without a model while that is loaded, and at no other time', () => {
    const request = { tookMs: 10, status: 503, code: 'ERR_MODEL_UNAVAILABLE' }
    expect(judgeAvailability(request, { ...WELL, mayLackModel: true })).toHaveProperty('excuse')
    expect(judgeAvailability(request, WELL)).toEqual({ problem: '503 ERR_MODEL_UNAVAILABLE' })
  })
})
