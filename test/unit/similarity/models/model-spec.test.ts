import fc from 'fast-check'
import { expect, test } from 'vitest'
import { identifyModel, type ModelDescription } from '../../../../src/similarity/models/model-spec.js'
import { MODEL_RECIPES } from '../../../../src/similarity/models/registry.js'

const DESCRIPTION: ModelDescription = {
  name: 'one',
  image: {
    inputName: 'input',
    outputName: 'embedding',
    pooling: 'none',
    size: 224,
    layout: 'nchw',
    channels: 'rgb',
    mean: [1, 2, 3],
    std: [4, 5, 6],
    resize: 'cover',
    dimension: 8,
    classes: { outputName: 'classes', count: 3 }
  },
  text: {
    kind: 'concepts',
    inputNames: { ids: 'ids', mask: 'mask', types: 'types' },
    outputName: 'out',
    pooling: 'mean',
    tokensMax: 16,
    padToken: 1,
    dimension: 4,
    prompt: 'a photo of a {}',
    top: 10
  },
  licence: 'L',
  source: 'S',
  files: [
    { name: 'image.onnx', sha256: 'aa', bytes: 1 },
    { name: 'labels.f32', sha256: 'bb', bytes: 2, derived: true }
  ]
}

/** Paths of all numbers and strings in a description. */
function leaves(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...path]]
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]))
}

function changed(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return typeof value === 'number' ? value + 1 : `${String(value)}x`
  const copy = structuredClone(value) as Record<string, unknown>
  copy[key] = changed(copy[key], rest)
  return copy
}

/** Fields that vectors do not depend on. */
const FREE = /^(name|licence|source|files\.1\.(name|sha256)|files\.\d\.bytes)$/

test('exactly a change of something that vectors depend on makes another model', () => {
  const { digest, id } = identifyModel(DESCRIPTION)
  expect(digest).toMatch(/^[0-9a-f]{64}$/)
  expect(id).toBe(digest.slice(0, 16))
  for (const path of leaves(DESCRIPTION)) {
    const other = identifyModel(changed(DESCRIPTION, path) as ModelDescription)
    expect([path.join('.'), other.digest === digest]).toEqual([path.join('.'), FREE.test(path.join('.'))])
  }
  const { text, ...imageOnly } = DESCRIPTION
  expect(identifyModel(imageOnly).digest).not.toBe(digest)
  const { padToken, ...unpadded } = text!
  expect(identifyModel({ ...DESCRIPTION, text: unpadded }).digest).not.toBe(digest)
})

test('the order of the fields does not matter', () => {
  const { digest } = identifyModel(DESCRIPTION)
  fc.assert(
    fc.property(fc.shuffledSubarray(Object.entries(DESCRIPTION.image), { minLength: 11 }), entries => {
      const image = Object.fromEntries(entries) as unknown as ModelDescription['image']
      expect(identifyModel({ ...DESCRIPTION, image }).digest).toBe(digest)
    })
  )
})

test('models to pull are pinned to the last byte', () => {
  for (const recipe of MODEL_RECIPES) {
    for (const source of recipe.packages) {
      expect(Buffer.from(source.integrity.replace('sha512-', ''), 'base64')).toHaveLength(64)
      expect(source.bytes).toBeGreaterThan(0)
    }
    const names = ['image.onnx', ...Object.keys(recipe.copiedFiles), ...(recipe.labels ? ['labels.json'] : [])]
    expect(Object.keys(recipe.sha256).sort()).toEqual(names.sort())
    for (const sha256 of Object.values(recipe.sha256)) expect(sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(recipe.reference.filter(number => number > 0.1).length).toBeGreaterThan(5)
    expect(recipe.text === undefined).toBe(recipe.image.classes === undefined)
  }
})

test('the identities of released models never change', () => {
  const identity = (name: string): string => {
    const { image, text, licence, source, sha256 } = MODEL_RECIPES.find(recipe => recipe.name === name)!
    const files = Object.keys(sha256)
      .sort()
      .map(file => ({ name: file, sha256: sha256[file]!, bytes: 0 }))
    return identifyModel({ name, image, ...(text ? { text } : {}), licence, source, files }).id
  }
  expect(MODEL_RECIPES.map(({ name }) => [name, identity(name)])).toEqual([
    ['mobilenet', '60a321cefc5ff826'],
    ['tiny', '13bfdecac8d5d24c'],
    ['resnet50', '32bc2270f30666e3']
  ])
})
