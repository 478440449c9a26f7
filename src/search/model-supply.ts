import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { LoadedModel, ModelSpec } from '../similarity/models/model-spec.js'
import type { ModelStore } from '../similarity/models/model-store.js'

const DAY_MS = 24 * 3_600_000
/** After a failure, e.g. an unreachable registry. */
const RETRY_MS = 30_000
const RETRY_MS_MAX = 60 * 60_000

export interface ModelSupplyComponents {
  readonly store: Pick<ModelStore, 'open' | 'pull'>
  /** The model that served when the node last ran. */
  readonly lastServing: () => Promise<Pick<ModelSpec, 'id' | 'name'> | undefined>
  /** Switches to the model; the previous one answers searches until the new index is complete. */
  readonly use: (model: LoadedModel, previous?: LoadedModel) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Opens the configured model, downloading it if necessary. Until then the node works without a model, or with the
 * previous one.
 */
export class ModelSupply implements Startable {
  readonly #components: ModelSupplyComponents
  readonly #name: string
  readonly #loop: WorkerLoop
  #isDone = false

  constructor(components: ModelSupplyComponents, init: { readonly name: string }) {
    this.#components = components
    this.#name = init.name
    this.#loop = new WorkerLoop(components, {
      name: 'model supply',
      idleMs: DAY_MS,
      failureMs: RETRY_MS,
      failureMsMax: RETRY_MS_MAX,
      step: signal => this.#step(signal)
    })
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #step(signal: AbortSignal): Promise<'idle'> {
    const { store, use, log } = this.#components
    if (this.#isDone) return 'idle'
    const previous = await this.#openLast()
    let model = await store.open(this.#name)
    if (model === undefined) {
      const message =
        previous === undefined
          ? 'downloading the model; similarity search is unavailable until it is here'
          : 'downloading the model; the previous one answers until it is here'
      log.info({ model: this.#name, previous: previous?.spec.name }, message)
      if (previous !== undefined) {
        await use(previous).catch(err =>
          log.warn(
            { err, model: previous.spec.name },
            'previous model cannot be used; similarity search is unavailable until the new one is here'
          )
        )
      }
      await store.pull(this.#name, () => {}, signal)
      model = await store.open(this.#name)
    }
    if (model === undefined) {
      const message = `the model ${this.#name} was pulled but cannot be opened; the log says which files are damaged`
      throw new SheafError('ERR_MODEL_INVALID', message)
    }
    await use(model, previous)
    this.#isDone = true
    log.info({ model: this.#name, id: model.spec.id }, 'model in use')
    return 'idle'
  }

  /** @returns the model that served last, if it is a different one and its files are still here */
  async #openLast(): Promise<LoadedModel | undefined> {
    const { store, lastServing, log } = this.#components
    try {
      const { id, name } = (await lastServing()) ?? {}
      if (name === undefined || name === this.#name) return undefined
      const model = await store.open(name)
      if (model?.spec.id === id) return model
      log.info(
        { model: name },
        'previous model is no longer installed; the new one answers searches while its index grows'
      )
    } catch (err) {
      log.warn({ err }, 'previous model cannot be opened; the new one answers searches while its index grows')
    }
    return undefined
  }
}
