import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { npmRegistry, packedName, tarballUrl } from '../../../../src/similarity/models/npm-registry.js'
import { temporaryDirectory } from '../../../support/temporary-directory.js'

const plain = { name: 'one', version: '1.2.3', integrity: 'sha512-', bytes: 1 }
const scoped = { ...plain, name: '@scope/two' }
const signal = new AbortController().signal

test('the URL of a tarball in a registry, and its name from npm pack', () => {
  const registry = new URL('https://registry.example/npm/')
  expect(tarballUrl(registry, plain).href).toBe('https://registry.example/npm/one/-/one-1.2.3.tgz')
  expect(tarballUrl(registry, scoped).href).toBe('https://registry.example/npm/@scope/two/-/two-1.2.3.tgz')
  expect(packedName(plain)).toBe('one-1.2.3.tgz')
  expect(packedName(scoped)).toBe('scope-two-1.2.3.tgz')
})

test('the environment names the registry, with or without a trailing slash', async () => {
  for (const address of ['https://registry.example/npm', 'https://registry.example/npm/']) {
    const url = await npmRegistry({ npm_config_registry: address }, signal)
    expect(url.href).toBe('https://registry.example/npm/')
  }
})

test.each(['undefined', 'ftp://registry.example', 'not an address'])(
  '%s is refused, with the way out',
  async address => {
    await expect(npmRegistry({ npm_config_registry: address }, signal)).rejects.toMatchObject({
      code: 'ERR_MODEL_DOWNLOAD',
      message: expect.stringContaining('npm_config_registry')
    })
  }
)

test.skipIf(process.platform === 'win32')('otherwise npm is asked; without npm that is an error', async () => {
  const folder = await temporaryDirectory()
  const bin = join(folder, 'bin')
  await mkdir(bin)
  await expect(npmRegistry({ PATH: bin }, signal)).rejects.toMatchObject({
    code: 'ERR_MODEL_DOWNLOAD',
    message: expect.stringContaining('npm did not answer')
  })
  const script = '#!/bin/sh\necho "a warning" >&2\n[ "$*" = "config get registry" ] && echo https://mirror.example/\n'
  await writeFile(join(bin, 'npm'), script, { mode: 0o755 })
  expect((await npmRegistry({ PATH: bin }, signal)).href).toBe('https://mirror.example/')
})
