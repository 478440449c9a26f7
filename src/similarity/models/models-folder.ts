import { join } from 'node:path'

export interface UserPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** As `process.platform`. */
  readonly platform: string
  /** The user's home folder. */
  readonly home: string
}

/**
 * The default folder of models: in the user's cache, because models can be downloaded again.
 *
 * @see https://specifications.freedesktop.org/basedir-spec
 */
export function defaultModelsFolder({ environment, platform, home }: UserPlaces): string {
  return join(cacheFolder({ environment, platform, home }), 'sheaf', 'models')
}

function cacheFolder({ environment, platform, home }: UserPlaces): string {
  if (environment.XDG_CACHE_HOME) return environment.XDG_CACHE_HOME
  if (platform === 'win32') return environment.LOCALAPPDATA || join(home, 'AppData', 'Local')
  return platform === 'darwin' ? join(home, 'Library', 'Caches') : join(home, '.cache')
}
