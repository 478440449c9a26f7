import type { Worker } from 'node:worker_threads'
import { type ErrorCode, SheafError } from '../../core/errors.js'
import { startThread } from '../../core/thread.js'
import type { BuildInit } from './build-model.js'
import type { ImportInit } from './import-model.js'
import type { ModelDescription } from './model-spec.js'

/** What `model-thread.ts` is started with. */
export type ModelJob =
  | { readonly kind: 'build'; readonly init: BuildInit }
  | { readonly kind: 'import'; readonly init: ImportInit }

/** What it answers, once. An error loses its class on the way. */
export type ModelJobAnswer =
  | { readonly description: ModelDescription }
  | { readonly error: { readonly code: ErrorCode | undefined; readonly message: string } }

/**
 * Makes a model in a thread of its own: conversion and inference would hold up the event loop for seconds.
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
      else reject(toError(answer.error))
    })
    thread.once('error', reject)
    thread.once('exit', code => reject(new Error(`the thread that makes models ended with ${code}`)))
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function toError({ code, message }: { readonly code: ErrorCode | undefined; readonly message: string }): Error {
  return code === undefined ? new Error(message) : new SheafError(code, message)
}
