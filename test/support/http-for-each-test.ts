import { afterEach, beforeEach } from 'vitest'
import { type HttpFixture, type HttpFixtureInit, startHttp } from './http-fixture.js'

export interface HttpForEachTest {
  /** The server of the test that runs. */
  readonly http: HttpFixture
  /** Replaces it by one of another kind. */
  restart(init: HttpFixtureInit): Promise<void>
  /** @returns the photo's id */
  putPhoto(bytes: Uint8Array): Promise<string>
}

/** To be called once at the head of a test file: gives each test a server of its own. */
export function httpForEachTest(): HttpForEachTest {
  let running: HttpFixture
  beforeEach(async () => {
    running = await startHttp()
  })
  afterEach(() => running.close())
  const http = new Proxy({} as HttpFixture, {
    get: (_, name) => Reflect.get(running, name),
    set: (_, name, value) => Reflect.set(running, name, value)
  })
  return {
    http,
    restart: async init => {
      await running.close()
      running = await startHttp(init)
    },
    putPhoto: async bytes => (await running.client.putPhoto(bytes, 'a.bin', 'application/octet-stream')).photo_id
  }
}
