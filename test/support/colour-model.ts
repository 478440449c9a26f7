import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { identifyModel, type LoadedModel } from '../../src/similarity/models/model-spec.js'
import {
  SMALL_IMAGE_SIDE,
  SMALL_TEXT_SIDE,
  smallImageNetwork,
  smallTextNetwork,
  smallTokenizer,
  smallTokenizerConfig
} from './small-models.js'
import { temporaryDirectory } from './temporary-directory.js'

/** @returns a model that sees and knows colours; one that is `mirrored` takes red for blue and knows no words */
export async function colourModel(init: { readonly mirrored?: boolean } = {}): Promise<LoadedModel> {
  const { mirrored = false } = init
  const folder = await temporaryDirectory()
  await writeFile(join(folder, 'image.onnx'), smallImageNetwork())
  await writeFile(join(folder, 'text.onnx'), smallTextNetwork())
  await writeFile(join(folder, 'tokenizer.json'), smallTokenizer())
  await writeFile(join(folder, 'tokenizer_config.json'), smallTokenizerConfig())
  const spec = identifyModel({
    name: mirrored ? 'mirrored' : 'colours',
    image: { ...SMALL_IMAGE_SIDE, channels: mirrored ? 'bgr' : 'rgb' },
    ...(!mirrored && { text: SMALL_TEXT_SIDE }),
    licence: '',
    source: '',
    files: []
  })
  return { spec, folder }
}
