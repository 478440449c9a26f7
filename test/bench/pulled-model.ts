import { homedir } from 'node:os'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import type { LoadedModel } from '../../src/similarity/models/model-spec.js'
import { ModelStore } from '../../src/similarity/models/model-store.js'
import { defaultModelsFolder } from '../../src/similarity/models/models-folder.js'

/** Where a node on this machine keeps its models. */
export function modelsFolder(): string {
  const { env: environment, platform } = process
  return environment.SHEAF_MODELS ?? defaultModelsFolder({ environment, platform, home: homedir() })
}

/** @returns undefined when it has not been pulled */
export function pulledModel(name: string, folder: string): Promise<LoadedModel | undefined> {
  const components = { fileSystem: nodeFileSystem, clock: systemClock, random: systemRandom, log: silentLog }
  return new ModelStore({ ...components, environment: process.env, fetch }, { folder }).open(name)
}
