import { join } from 'node:path'
import { DataLock } from '../../core/data-lock.js'
import { hasCode, SheafError, systemErrorCode } from '../../core/errors.js'
import { makeDurableDirectory } from '../../core/file-system.js'
import type { Random } from '../../core/random.js'
import type { ModelId } from '../../domain/features.js'
import type { ModelSources } from './import-model.js'
import { type FileSource, ModelDownloads, type ModelDownloadsComponents } from './model-downloads.js'
import { findDamage, findWrongSizes, isModelName, readModelSpec, writeModelSpec } from './model-files.js'
import { type ModelJob, runModelJob } from './model-jobs.js'
import { identifyModel, type LoadedModel, type ModelSpec } from './model-spec.js'
import { MODEL_RECIPES, type ModelRecipe } from './registry.js'

/** In the folder of models: downloads, unfinished models, and the lock on both. Begins with a dot, so it is no model name. */
const WORK_FOLDER = '.work'
const DOWNLOADS_FOLDER = 'downloads'
/** Prefix of folders of unfinished models. */
const UNFINISHED_PREFIX = 'making-'
/** How often to check whether another process is done, ms. */
const LOCK_POLL_MS = 500

export interface ModelStoreComponents extends ModelDownloadsComponents {
  readonly random: Random
}

export interface ModelStoreInit {
  /** Holds one folder per model; several nodes may share it. Created on demand. */
  readonly folder: string
  /** Models that can be pulled. */
  readonly recipes?: readonly ModelRecipe[]
}

export interface ModelSummary {
  readonly name: string
  /** `ready`: installed; `damaged`: must be pulled or added again; `available`: can be pulled. */
  readonly state: 'ready' | 'damaged' | 'available'
  /** Undefined unless installed. */
  readonly id: ModelId | undefined
  readonly dimension: number | undefined
  /** On disk, or to download. */
  readonly bytes: number
  /** Text search: `encoder` for a model of images and texts, `concepts` by way of classes. */
  readonly words: 'encoder' | 'concepts' | 'none' | undefined
  readonly licence: string
  readonly source: string
}

export type PullProgress =
  /** Another process is working in the same folder. */
  | { readonly stage: 'waiting' }
  | { readonly stage: 'downloading'; readonly bytes: number; readonly bytesTotal: number | undefined }
  /** Unpacking, converting, checking. */
  | { readonly stage: 'making' }

export type OnProgress = (progress: PullProgress) => void

export interface AddOptions extends ModelSources<FileSource> {
  readonly name: string
  /** For people. */
  readonly licence: string
  readonly source: string
}

/** The models on this machine. */
export class ModelStore {
  readonly #components: ModelStoreComponents
  readonly #folder: string
  readonly #recipes: readonly ModelRecipe[]
  readonly #downloads: ModelDownloads

  constructor(components: ModelStoreComponents, { folder, recipes = MODEL_RECIPES }: ModelStoreInit) {
    this.#components = components
    this.#folder = folder
    this.#recipes = recipes
    this.#downloads = new ModelDownloads(components, { folder: join(folder, WORK_FOLDER, DOWNLOADS_FOLDER) })
  }

  /** @returns the pullable models in the order of the recipes, then all others by name */
  async list(): Promise<ModelSummary[]> {
    const names = this.#recipes.map(recipe => recipe.name)
    const others = (await this.#names()).filter(name => !names.includes(name))
    const summaries = await Promise.all([...names, ...others].map(name => this.#summary(name)))
    return summaries.filter(summary => summary !== undefined)
  }

  /**
   * Checks every byte of a model, in small pieces.
   *
   * @returns undefined when it is not installed, or damaged; damage is logged
   * @throws `ERR_FORMAT_TOO_NEW`; system errors
   */
  async open(name: string): Promise<LoadedModel | undefined> {
    const { fileSystem, log } = this.#components
    if (!isModelName(name)) return undefined
    const folder = join(this.#folder, name)
    try {
      const spec = await readModelSpec(fileSystem, folder)
      if (spec === undefined) return undefined
      const files = await findDamage(fileSystem, folder, spec)
      if (files.length === 0) return { spec, folder }
      log.warn({ model: name, files }, 'model is damaged; pull or add it again')
    } catch (err) {
      if (!hasCode(err, 'ERR_MODEL_INVALID')) throw err
      log.warn({ model: name, err }, 'model is damaged; pull or add it again')
    }
    return undefined
  }

  /**
   * Downloads and builds a model, unless it is installed and intact. Resumes what an earlier call or process left unfinished.
   *
   * @throws `ERR_USAGE` for a name that cannot be pulled; `ERR_MODEL_DOWNLOAD`; `ERR_MODEL_INVALID`; `ERR_DISK_WRITE`; the
   * signal's reason; system errors
   */
  async pull(name: string, onProgress: OnProgress, signal: AbortSignal): Promise<ModelSpec> {
    const recipe = this.#recipes.find(one => one.name === name)
    if (recipe === undefined) {
      const names = this.#recipes.map(one => one.name).join(', ')
      throw new SheafError(
        'ERR_USAGE',
        `no model ${name} can be pulled, only ${names}; use sheaf models add for others`
      )
    }
    const present = await this.open(name)
    if (present !== undefined) return present.spec
    return await this.#withLock(onProgress, signal, async () => {
      const installed = await this.open(name) // installed by another process
      if (installed !== undefined) return installed.spec
      const onBytes = downloadProgress(onProgress)
      const tarballs = await this.#downloads.packages(recipe.packages, onBytes, signal)
      onProgress({ stage: 'making' })
      const spec = await this.#build(name, folder => ({ kind: 'build', init: { recipe, tarballs, folder } }), signal)
      await this.#downloads.discard(Object.values(tarballs))
      return spec
    })
  }

  /**
   * Installs a model from given files. Replaces one of the same name that was added before.
   *
   * @throws `ERR_USAGE` for a reserved or invalid name, or a file that cannot be read; `ERR_MODEL_DOWNLOAD`;
   * `ERR_MODEL_INVALID`; `ERR_DISK_WRITE`; the signal's reason; system errors
   */
  async add(options: AddOptions, onProgress: OnProgress, signal: AbortSignal): Promise<ModelSpec> {
    const { name, licence, source } = options
    if (!isModelName(name)) {
      const rule = 'letters a to z, digits, dots, hyphens and underscores, at most 64, with a letter or digit first'
      throw new SheafError('ERR_USAGE', `${JSON.stringify(name)} cannot be a model's name: it needs ${rule}`)
    }
    if (name === 'none' || this.#recipes.some(recipe => recipe.name === name)) {
      throw new SheafError('ERR_USAGE', `the name ${name} is reserved; choose another one`)
    }
    return await this.#withLock(onProgress, signal, async () => {
      const paths: string[] = []
      const files = await mapFiles(options, async file => {
        const path = await this.#downloads.file(file, downloadProgress(onProgress), signal)
        paths.push(path)
        return path
      })
      onProgress({ stage: 'making' })
      const init = { name, licence, source, ...files }
      const spec = await this.#build(name, folder => ({ kind: 'import', init: { ...init, folder } }), signal)
      await this.#downloads.discard(paths)
      return spec
    })
  }

  async #summary(name: string): Promise<ModelSummary | undefined> {
    const { fileSystem } = this.#components
    const recipe = this.#recipes.find(one => one.name === name)
    const folder = join(this.#folder, name)
    let spec: ModelSpec | undefined
    let damaged = false
    try {
      spec = await readModelSpec(fileSystem, folder)
      damaged = spec !== undefined && (await findWrongSizes(fileSystem, folder, spec)).length > 0
    } catch (err) {
      if (!hasCode(err, 'ERR_MODEL_INVALID') && !hasCode(err, 'ERR_FORMAT_TOO_NEW')) throw err
      damaged = true
    }
    const { image, text, licence = '', source = '' } = spec ?? recipe ?? {}
    if (image === undefined && !damaged) return undefined
    const downloads = recipe?.packages ?? []
    return {
      name,
      state: damaged ? 'damaged' : spec === undefined ? 'available' : 'ready',
      id: spec?.id,
      dimension: image?.dimension,
      bytes: (spec?.files ?? downloads).reduce((sum, { bytes }) => sum + bytes, 0),
      words: image === undefined ? undefined : (text?.kind ?? 'none'),
      licence,
      source
    }
  }

  async #names(): Promise<string[]> {
    try {
      return (await this.#components.fileSystem.list(this.#folder)).filter(isModelName)
    } catch (err) {
      if (systemErrorCode(err) === 'ENOENT') return []
      throw err
    }
  }

  /** Builds a model in a temporary folder, which is then renamed. */
  async #build(name: string, job: (folder: string) => ModelJob, signal: AbortSignal): Promise<ModelSpec> {
    const { fileSystem, random } = this.#components
    const work = join(this.#folder, WORK_FOLDER)
    for (const leftover of await fileSystem.list(work)) {
      // left by a killed process: thanks to the lock, no other is working here
      if (leftover.startsWith(UNFINISHED_PREFIX)) await fileSystem.removeDirectory(join(work, leftover))
    }
    const suffix = Buffer.from(random.bytes(6)).toString('hex')
    const [folder, replaced] = [
      join(work, `${UNFINISHED_PREFIX}${suffix}`),
      join(work, `${UNFINISHED_PREFIX}${suffix}-replaced`)
    ]
    const target = join(this.#folder, name)
    await fileSystem.makeDirectory(folder)
    try {
      const spec = identifyModel(await runModelJob(job(folder), signal))
      await writeModelSpec(fileSystem, folder, spec)
      await fileSystem.rename(target, replaced).catch(err => {
        if (systemErrorCode(err) !== 'ENOENT') throw err
      })
      await fileSystem.rename(folder, target)
      await fileSystem.syncDirectory(this.#folder)
      return spec
    } finally {
      await fileSystem.removeDirectory(folder)
      await fileSystem.removeDirectory(replaced)
    }
  }

  /** Runs `task` while no other process builds models in this folder. */
  async #withLock<Result>(onProgress: OnProgress, signal: AbortSignal, task: () => Promise<Result>): Promise<Result> {
    const folder = join(this.#folder, WORK_FOLDER)
    await makeDurableDirectory(this.#components.fileSystem, folder).catch(cause => {
      const problem = `the folder of models ${this.#folder} cannot be written; choose another one with --models`
      throw new SheafError('ERR_DISK_WRITE', problem, { cause })
    })
    const lock = new DataLock({ folder })
    for (;;) {
      signal.throwIfAborted()
      try {
        await lock.start()
        break
      } catch (err) {
        if (!hasCode(err, 'ERR_DATA_LOCKED')) throw err
      }
      onProgress({ stage: 'waiting' })
      await this.#components.clock.sleep(LOCK_POLL_MS, signal)
    }
    try {
      return await task()
    } finally {
      await lock.stop()
    }
  }
}

function downloadProgress(onProgress: OnProgress) {
  return (bytes: number, bytesTotal: number | undefined): void => {
    onProgress({ stage: 'downloading', bytes, bytesTotal })
  }
}

async function mapFiles<From, To>(
  { image, text }: ModelSources<From>,
  map: (file: From) => Promise<To>
): Promise<ModelSources<To>> {
  const mappedImage = { ...image, file: await map(image.file) }
  if (text === undefined) return { image: mappedImage }
  const { file, tokenizer, tokenizerConfig, ...hints } = text
  const config = tokenizerConfig === undefined ? {} : { tokenizerConfig: await map(tokenizerConfig) }
  return { image: mappedImage, text: { ...hints, file: await map(file), tokenizer: await map(tokenizer), ...config } }
}
