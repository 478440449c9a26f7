import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly hasInstallScript?: boolean }>>
}

test('no install script runs but those that are needed: onnxruntime-node would download GPU libraries, scarf report the installation', () => {
  const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as Lock
  const marked = Object.keys(lock.packages).filter(path => lock.packages[path]?.hasInstallScript === true)
  for (const name of ['onnxruntime-node', '@scarf/scarf'])
    expect(lock.packages).toHaveProperty([`node_modules/${name}`])
  // docs/dependencies.md says what to do when this fails.
  expect(marked.filter(path => /\/(onnxruntime-node|@scarf\/scarf)$/.test(path))).toEqual([])
})
