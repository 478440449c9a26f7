import { expect, test } from 'vitest'
import { codeOf } from '../support/http-answers.js'
import { httpForEachTest } from '../support/http-for-each-test.js'

const { http, restart } = httpForEachTest()

test('GET /docs is a page that loads nothing but what this node serves', async () => {
  const { status, headers, body } = await http.client.request('GET', '/docs')
  expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
  const text = body.toString()
  expect(text).not.toMatch(/https?:|\/\/|<style|<script>|\son\w+=/)
  const wanted = [...text.matchAll(/(?:src|href)="(?!data:)([^"]+)"/g)].map(([, path]) => `/${path}`)
  expect(wanted).toEqual(['/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js', '/docs/docs.js', '/openapi.json'])
  for (const path of wanted) {
    const answer = await http.client.request('GET', path)
    expect([path, answer.status, answer.body.length > 100]).toEqual([path, 200, true])
    expect(answer.headers['x-content-type-options']).toBe('nosniff')
  }
  const type = async (path: string) => (await http.client.request('GET', path)).headers['content-type']
  expect(await type('/docs/docs.js')).toBe('text/javascript; charset=utf-8')
  expect(await type('/docs/swagger-ui.css')).toBe('text/css; charset=utf-8')
})

test('its policy lets it run and ask nothing from elsewhere, nor be framed', async () => {
  const { headers } = await http.client.request('GET', '/docs')
  const policy = new Map(
    String(headers['content-security-policy'])
      .split('; ')
      .map(it => [it.split(' ')[0], it])
  )
  expect(policy.get('default-src')).toBe("default-src 'none'")
  for (const name of ['script-src', 'style-src', 'connect-src']) expect(policy.get(name)).toBe(`${name} 'self'`)
  expect(policy.get('frame-ancestors')).toBe("frame-ancestors 'none'")
  expect(String(headers['content-security-policy'])).not.toMatch(/unsafe|https?:|\*/)
})

test('what is not part of it is not served, whatever the path', async () => {
  for (const path of [
    '/docs/',
    '/docs/LICENSE',
    '/docs/..%2f..%2fmain.js',
    '/docs/../../package.json',
    '/docs/%2e%2e/x'
  ])
    expect(codeOf(await http.client.request('GET', path)), path).toBe('404 ERR_NOT_FOUND')
})

test('an installation that was not built whole says so', async () => {
  await restart({ webFile: async () => undefined })
  expect(codeOf(await http.client.request('GET', '/docs'))).toBe('404 ERR_NOT_FOUND')
})
