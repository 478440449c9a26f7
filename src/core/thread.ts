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
  // Running from source (tsx, vitest): threads in Node 20 do not inherit the loader, so the thread registers it itself.
  // `require` finds its CommonJS build, which resolves its own files in the wrong folder; hence `.mjs`.
  const loader = pathToFileURL(
    createRequire(import.meta.url)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs')
  )
  const source = new URL(`./${name}.ts`, caller)
  const boot = `import { register } from '${loader.href}'; register(); await import('${source.href}')`
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(boot)}`), options)
}
