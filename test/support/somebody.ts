import { expect } from 'vitest'
import type { Role } from '../../src/domain/access.js'
import { type Answer, HttpClient } from './http-client.js'
import type { HttpFixture } from './http-fixture.js'

const PASSWORD = 'long enough'

/** Somebody who has an account, or a key of one. */
export class Somebody {
  readonly id: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #client: HttpClient

  constructor(url: string, id: string, credential: string) {
    this.#client = new HttpClient(url)
    this.id = id
    this.#headers = { authorization: `Bearer ${credential}` }
  }

  ask(method: string, path: string, body?: object): Promise<Answer> {
    if (body === undefined) return this.send(method, path, {})
    return this.send(method, path, { 'content-type': 'application/json' }, Buffer.from(JSON.stringify(body)))
  }

  send(method: string, path: string, headers: Readonly<Record<string, string>>, body?: Uint8Array): Promise<Answer> {
    return this.#client.request(method, path, { headers: { ...this.#headers, ...headers }, ...(body && { body }) })
  }

  async json<Json>(method: string, path: string, body?: object): Promise<Json> {
    const answer = await this.ask(method, path, body)
    expect([200, 201], `${method} ${path}: ${answer.body}`).toContain(answer.status)
    return JSON.parse(answer.body.toString()) as Json
  }

  async makeAlbum(title: string): Promise<string> {
    return (await this.json<{ album_id: string }>('POST', '/v1/albums', { title })).album_id
  }

  share<Json>(album: string, who: string, role: string): Promise<Json> {
    return this.json<Json>('PUT', `/v1/albums/${album}/shares/${who}`, { role })
  }
}

/** @returns somebody who has a new account of that node, and is logged in */
export async function somebodyIn(
  { accounts, url }: Pick<HttpFixture, 'accounts' | 'url'>,
  name: string,
  role: Role = 'user'
): Promise<Somebody> {
  const { id } = await accounts.users.create({ name, role, password: PASSWORD }, 'operator', '192.0.2.1')
  const { token } = await accounts.sessions.login(name, PASSWORD, { address: '192.0.2.1' })
  return new Somebody(url, id, token.text)
}
