import { execFile } from 'node:child_process'
import { basename } from 'node:path'
import { promisify } from 'node:util'
import { SheafError } from '../../core/errors.js'
import type { PackageSource } from './registry.js'

const NPM_MS_MAX = 30_000

/**
 * The registry that the user's npm is configured for.
 *
 * @returns its URL, ending in a slash
 * @throws `ERR_MODEL_DOWNLOAD` when neither the environment nor npm names one
 */
export async function npmRegistry(
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal
): Promise<URL> {
  const text = environment.npm_config_registry || (await askNpm(environment, signal))
  try {
    const url = new URL(text.endsWith('/') ? text : `${text}/`)
    if (url.protocol === 'https:' || url.protocol === 'http:') return url
  } catch {
    // same error as for another protocol
  }
  throw noRegistry(`npm names ${JSON.stringify(text)} as its registry, which is not an http(s) URL`)
}

/** @returns the URL of the package's tarball */
export function tarballUrl(registry: URL, { name, version }: PackageSource): URL {
  return new URL(`${name}/-/${basename(name)}-${version}.tgz`, registry)
}

/** @returns the name that `npm pack` gives to the package's tarball */
export function packedName({ name, version }: PackageSource): string {
  return `${name.replace(/^@/, '').replaceAll('/', '-')}-${version}.tgz`
}

async function askNpm(environment: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string> {
  try {
    // on Windows npm is a script, which needs a shell
    const options = { env: environment, signal, timeout: NPM_MS_MAX, shell: process.platform === 'win32' }
    const { stdout } = await promisify(execFile)('npm', ['config', 'get', 'registry'], options)
    return stdout.trim()
  } catch (err) {
    signal.throwIfAborted()
    throw noRegistry('npm did not answer which registry it uses', err)
  }
}

function noRegistry(problem: string, cause?: unknown): SheafError {
  return new SheafError('ERR_MODEL_DOWNLOAD', `${problem}; set npm_config_registry to a registry's URL`, { cause })
}
