import { describe, expect, test } from 'vitest'
import { takeoutSidecarOf } from '../../../../src/cli/import/takeout-names.js'

const LONG = 'Screenshot_20230714-101112_A Rather Long Name Of An App'

/** A photo or film, its sidecar, and the original if it is an edited copy. */
const PAIRS: [name: string, sidecar: string, editedOf?: string][] = [
  ['IMG_0001.jpg', 'IMG_0001.jpg.supplemental-metadata.json'],
  ['IMG_0002.jpg', 'IMG_0002.jpg.json'],
  ['IMG_20230714_101112_long.jpg', 'IMG_20230714_101112_long.jpg.supplemental-meta.json'],
  ['IMG_20230714_101112_a.longer.name.jpg', 'IMG_20230714_101112_a.longer.name.jpg.supplem.json'],
  ['IMG_20230714_101112_a.longer.name.still.e.jpg', 'IMG_20230714_101112_a.longer.name.still.e.jpg.json'],
  [`${LONG}.jpg`, `${[...LONG].slice(0, 46).join('')}.json`],
  ['DSC_0104(1).JPG', 'DSC_0104.JPG.supplemental-metadata(1).json'],
  ['DSC_0105(2).JPG', 'DSC_0105.JPG(2).json'],
  ['scan.tif', 'scan.json'],
  ['IMG_0003-edited.jpg', 'IMG_0003.jpg.supplemental-metadata.json', 'IMG_0003.jpg'],
  ['IMG_0004-bearbeitet(1).jpg', 'IMG_0004.jpg.supplemental-metadata(1).json', 'IMG_0004(1).jpg'],
  ['IMG_0005.MP4', 'IMG_0005.HEIC.supplemental-metadata.json'],
  ['PXL_20230714_101112000.MP', 'PXL_20230714_101112000.MP.jpg.supplemental-meta.json'],
  ['IMG_0006.MOV', 'IMG_0006.JPG.json'],
  ['20230714_P.jpg', '20230714_.json'],
  ['Grüße aus Kiel.jpg', 'Grüße aus Kiel.jpg.supplemental-metadata.json']
]

describe('the sidecar of', () => {
  test.each(PAIRS)('%s, alone', (name, sidecar, editedOf) => {
    expect(takeoutSidecarOf(name, new Set([sidecar]))).toEqual({ sidecar, ...(editedOf && { editedOf }) })
  })

  test.each(PAIRS)('%s, among all', (name, sidecar) => {
    expect(takeoutSidecarOf(name, new Set(PAIRS.map(([, one]) => one)))?.sidecar).toBe(sidecar)
  })
})

test.each([
  ['DSC_0104(1).JPG', 'DSC_0104.JPG.json'],
  ['DSC_0104(1).JPG', 'DSC_0104.JPG.supplemental-metadata(2).json'],
  ['DSC_0104.JPG', 'DSC_0104.JPG(1).json'],
  ['IMG_1.jpg', 'IMG_10.jpg.json'],
  ['IMG_1.jpg', 'IMG_1.png.json'],
  ['IMG_1-beach.jpg', 'IMG_1.jpg.json'],
  ['IMG_1.jpg', 'IMG_1.jpg.supplementary.json'],
  ['IMG_1.jpg', 'metadata.json'],
  ['-edited.jpg', '.jpg.json']
])('%s does not take %s', (name, sidecar) => {
  expect(takeoutSidecarOf(name, new Set([sidecar]))).toBeUndefined()
})

test('a long beginning is believed only if it is the only one', () => {
  const start = 'x'.repeat(50)
  expect(takeoutSidecarOf(`${start}yyyy.jpg`, new Set([`${start}y.json`]))).toEqual({ sidecar: `${start}y.json` })
  expect(takeoutSidecarOf(`${start}yyyy.jpg`, new Set([`${start}y.json`, `${start}yy.json`]))).toBeUndefined()
})
