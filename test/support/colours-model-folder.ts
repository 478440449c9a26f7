import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sheaf } from './node-process.js'
import { smallImageNetwork, smallTextNetwork, smallTokenizer, smallTokenizerConfig } from './small-models.js'

/** The name of a model of four numbers that sees colours, and knows their names and the word "photo". */
export const COLOURS_MODEL = 'colours'

/**
 * Adds the model as an operator adds one, so that real nodes can use it without a download.
 *
 * @param folder - where its parts and the models go
 * @returns the folder for `--models`
 */
export async function addColoursModel(folder: string): Promise<string> {
  const [source, models] = [join(folder, 'source'), join(folder, 'models')]
  mkdirSync(source)
  const files = {
    'vision.onnx': smallImageNetwork(),
    'text.onnx': smallTextNetwork(),
    'tokenizer.json': smallTokenizer(),
    'tokenizer_config.json': smallTokenizerConfig()
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(source, name), content)
  const file = (name: keyof typeof files): string => join(source, name)
  const parts = ['--image', file('vision.onnx'), '--text', file('text.onnx'), '--tokenizer', file('tokenizer.json')]
  const pixels = ['--mean', '0,0,0', '--std', '1,1,1']
  const { code, stderr } = await sheaf(['models', 'add', COLOURS_MODEL, ...parts, ...pixels, '--models', models])
  if (code !== 0) throw new Error(`the model was not added: ${stderr}`)
  return models
}
