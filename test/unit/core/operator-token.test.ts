import { expect, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { parseOperatorToken, writeOperatorToken } from '../../../src/core/operator-token.js'
import { systemRandom } from '../../../src/core/random.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'

const PATH = '/data/operator.token'

function parts(refuse = false) {
  const fileSystem = new SimulatedFileSystem(new SimulatedDisk({ folders: ['/data'] }))
  const writeFileAtomic = fileSystem.writeFileAtomic.bind(fileSystem)
  const errors: string[] = []
  const log = { ...silentLog, error: (_: object, message: string) => errors.push(message) }
  const components = { fileSystem, random: systemRandom, log }
  fileSystem.writeFileAtomic = (path, bytes) =>
    refuse ? Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) : writeFileAtomic(path, bytes)
  const held = async (): Promise<string> => Buffer.from((await fileSystem.readFile(PATH)) ?? []).toString()
  return {
    components,
    held,
    errors,
    refuse: () => {
      refuse = true
    }
  }
}

test('each start writes another token of 32 random bytes', async () => {
  const { components, held } = parts()
  const tokens = [await writeOperatorToken(components, '/data'), await writeOperatorToken(components, '/data')]
  expect(tokens[0]).toMatch(/^[0-9a-f]{64}$/)
  expect(tokens[1]).not.toBe(tokens[0])
  expect(await held()).toBe(`${tokens[1]}\n`)
})

test('a disk that takes none ends no start: the token of the start before stays good, and it is said', async () => {
  const { components, errors, refuse } = parts()
  const before = await writeOperatorToken(components, '/data')
  refuse()
  expect(await writeOperatorToken(components, '/data')).toBe(before)
  expect(errors).toEqual([expect.stringContaining("could not write the operator's token")])
})

test('where there was none, or no token in it, it is a token that nobody knows', async () => {
  const empty = parts(true)
  expect(await writeOperatorToken(empty.components, '/data')).toMatch(/^[0-9a-f]{64}$/)
  const damaged = parts()
  await damaged.components.fileSystem.writeFileAtomic(PATH, Buffer.from('torn'))
  damaged.refuse()
  expect(await writeOperatorToken(damaged.components, '/data')).toMatch(/^[0-9a-f]{64}$/)
})

test('a file holds a token, or it does not', () => {
  const token = '0123456789abcdef'.repeat(4)
  for (const text of [token, `${token}\n`, ` ${token}\r\n`]) expect(parseOperatorToken(text)).toBe(token)
  for (const text of ['', token.slice(1), `${token}0`, token.toUpperCase(), `${token}\n${token}`])
    expect(parseOperatorToken(text)).toBeUndefined()
})
