import { beforeEach, expect, test } from 'vitest'
import { Api } from '../src/api/client.js'

let asked: string[]
let isLost: boolean
let api: Api

beforeEach(() => {
  asked = []
  isLost = false
  const fetcher: typeof fetch = async (path, init) => {
    asked.push(`${init?.method} ${String(path)}`)
    return new Response('{}', { status: 200 })
  }
  api = new Api(
    fetcher,
    () => {},
    () => isLost
  )
})

test('while the node is gone nothing is changed, but all may be asked', async () => {
  isLost = true
  const unreachable = { code: 'ERR_NODE_UNREACHABLE' }
  await expect(api.post('/v1/photos/batch', { delete: ['x'] })).rejects.toMatchObject(unreachable)
  await expect(api.delete('/v1/albums/{id}', { params: { id: 'x' } })).rejects.toMatchObject(unreachable)
  await expect(api.patch('/v1/albums/{id}', { title: 'y' }, { params: { id: 'x' } })).rejects.toMatchObject(unreachable)
  expect(asked).toEqual([])
  await api.get('/stats')
  await api.post('/v1/photos/exists', { sha256: [] })
  await api.post('/v1/photos/lookup', { ids: [] })
  expect(asked).toEqual(['GET /stats', 'POST /v1/photos/exists', 'POST /v1/photos/lookup'])
  isLost = false
  await api.post('/v1/photos/batch', { delete: ['x'] })
  expect(asked).toHaveLength(4)
})

test.each(['ERR_UNAUTHENTICATED', 'ERR_SESSION_ENDED', 'ERR_ACCOUNT_DISABLED'])(
  'after %s nothing is asked but the session and for an account, until somebody is logged in',
  async code => {
    let isShut = false
    const refusing: typeof fetch = async path => {
      asked.push(String(path))
      return new Response(JSON.stringify({ code }), { status: 401 })
    }
    const shut = (): void => {
      isShut = true
    }
    api = new Api(
      refusing,
      () => {},
      () => false,
      { isShut: () => isShut, shut }
    )
    await expect(api.post('/session', { name: 'anna', password: 'wrong' })).rejects.toMatchObject({ code })
    expect(isShut).toBe(false)
    await expect(api.get('/stats')).rejects.toMatchObject({ code })
    expect(isShut).toBe(true)
    await expect(api.get('/stats')).rejects.toMatchObject({ code: 'ERR_UNAUTHENTICATED' })
    await expect(api.get('/session')).rejects.toMatchObject({ code })
    await expect(api.post('/v1/signup', { name: 'anna', password: 'long enough' })).rejects.toMatchObject({ code })
    expect(asked).toEqual(['/session', '/stats', '/session', '/v1/signup'])
  }
)
