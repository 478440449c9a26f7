import type { Worker } from 'node:worker_threads'
import { receivedError, type SentError } from '../../core/sent-error.js'
import { startThread } from '../../core/thread.js'
import type { BuildInit } from './build-model.js'
import type { ImportInit } from './import-model.js'
import type { ModelDescription } from './model-spec.js'

/** The `workerData` of `model-thread.ts`. */
export type ModelJob =
  | { readonly kind: 'build'; readonly init: BuildInit }
  | { readonly kind: 'import'; readonly init: ImportInit }

/** Its one answer. */
export type ModelJobAnswer = { readonly description: ModelDescription } | { readonly error: SentError }

/**
 * Builds a model in a thread of its own: conversion and inference would block the event loop for seconds.
 *
 * @throws what the job threw; the signal's reason, after the thread has ended
 */
export async function runModelJob(job: ModelJob, signal: AbortSignal): Promise<ModelDescription> {
  signal.throwIfAborted()
  const thread = startThread(import.meta.url, 'model-thread', { workerData: job })
  try {
    return await answerOf(thread, signal)
  } finally {
    await thread.terminate()
  }
}

function answerOf(thread: Worker, signal: AbortSignal): Promise<ModelDescription> {
  return new Promise((resolve, reject) => {
    thread.once('message', (answer: ModelJobAnswer) => {
      if ('description' in answer) resolve(answer.description)
      else reject(receivedError(answer.error))
    })
    thread.once('error', reject)
    thread.once('exit', code => reject(new Error(`the model thread ended with code ${code}`)))
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
