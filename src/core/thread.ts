import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'

/**
 * Starts a thread.
 *
 * @param caller - the caller's `import.meta.url`
 * @param name - the module to run, a sibling of the caller, without its extension
 */
export function startThread(caller: string, name: string, options: WorkerOptions = {}): Worker {
  if (!caller.endsWith('.ts')) return new Worker(new URL(`./${name}.js`, caller), options)
  // From source, under tsx or vitest: Node 20 gives no loader to the threads of a process, so the thread takes it itself.
  // Its CommonJS form, which is what `require` finds, looks for the rest of itself in the wrong folder.
  const loader = pathToFileURL(
    createRequire(import.meta.url)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs')
  )
  const source = new URL(`./${name}.ts`, caller)
  const boot = `import { register } from '${loader.href}'; register(); await import('${source.href}')`
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(boot)}`), options)
}
