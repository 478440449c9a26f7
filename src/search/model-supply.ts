import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { LoadedModel, ModelSpec } from '../similarity/models/model-spec.js'
import type { ModelStore } from '../similarity/models/model-store.js'

const DAY_MS = 24 * 3_600_000
/** After the registry could not be reached. */
const RETRY_MS = 30_000
const RETRY_MS_MAX = 60 * 60_000

export interface ModelSupplyComponents {
  readonly store: Pick<ModelStore, 'open' | 'pull'>
  /** What answered when the node last ran. */
  readonly last: () => Promise<Pick<ModelSpec, 'id' | 'name'> | undefined>
  /** Takes the model into use, and lets the one before answer until that has seen the photos. */
  readonly use: (model: LoadedModel, before?: LoadedModel) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Gets the model that the node was told to use, if need be from afar, while everything else goes on without it, or with the
 * model of before.
 */
export class ModelSupply implements Startable {
  readonly #components: ModelSupplyComponents
  readonly #name: string
  readonly #loop: WorkerLoop
  #supplied = false

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
    if (this.#supplied) return 'idle'
    const before = await this.#openLast()
    let model = await store.open(this.#name)
    if (model === undefined) {
      const meanwhile =
        before === undefined ? 'nothing can be said about what photos look like' : 'the one before goes on'
      log.info({ model: this.#name, before: before?.spec.name }, `getting a model; until it is here ${meanwhile}`)
      if (before !== undefined) await use(before).catch(err => log.warn({ err }, 'the model of before cannot go on'))
      await store.pull(this.#name, () => {}, signal)
      model = await store.open(this.#name)
    }
    if (model === undefined)
      throw new SheafError('ERR_MODEL_INVALID', `the model ${this.#name} was pulled and cannot be opened`)
    await use(model, before)
    this.#supplied = true
    log.info({ model: this.#name, id: model.spec.id }, 'a model is in use')
    return 'idle'
  }

  /** @returns the model that answered last, if that was another one and it is still there */
  async #openLast(): Promise<LoadedModel | undefined> {
    const { store, last, log } = this.#components
    try {
      const { id, name } = (await last()) ?? {}
      if (name === undefined || name === this.#name) return undefined
      const model = await store.open(name)
      if (model?.spec.id === id) return model
      log.info({ model: name }, 'the model of before is no longer here: the new one answers from the beginning')
    } catch (err) {
      log.warn({ err }, 'the model of before cannot be opened')
    }
    return undefined
  }
}
