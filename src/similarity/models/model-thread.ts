/* The thread that builds one model: see model-jobs.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import { nodeFileSystem } from '../../core/node-file-system.js'
import { sentError } from '../../core/sent-error.js'
import { buildModel } from './build-model.js'
import { importModel } from './import-model.js'
import type { ModelJob, ModelJobAnswer } from './model-jobs.js'

parentPort?.postMessage(await work(workerData as ModelJob))

async function work(job: ModelJob): Promise<ModelJobAnswer> {
  const components = { fileSystem: nodeFileSystem }
  try {
    const build = job.kind === 'build' ? buildModel(components, job.init) : importModel(components, job.init)
    return { description: await build }
  } catch (err) {
    return { error: sentError(err) }
  }
}
