import { invariant } from '../../core/invariant.js'

const HOST_PREFIX = '__Host-'

/**
 * The cookie that keeps a browser logged in. Browsers tell hosts apart by name and not by port, so it is named after the
 * cluster: all its nodes on a host share one log-in, and two clusters on a host keep apart. By https it has the prefix that
 * lets no plain page of the host set it.
 *
 * @see RFC 6265
 */
export class SessionCookie {
  readonly #names: readonly string[]

  /** @param tags - of the cluster's keys, the one in use first; at least one */
  constructor(tags: readonly string[]) {
    invariant(tags.length > 0, 'a cluster has a key for tokens')
    this.#names = tags.map(tag => `sheaf_${tag.slice(0, 8)}`)
  }

  /**
   * @param header - Cookie, as it was sent
   * @returns what all cookies of that name hold: more than one says that somebody else has set one
   */
  read(header: string | undefined, isSecure: boolean): string[] {
    if (header === undefined) return []
    const names = this.#names.map(name => (isSecure ? `${HOST_PREFIX}${name}` : name))
    return header.split(';').flatMap(pair => {
      const at = pair.indexOf('=')
      return at !== -1 && names.includes(pair.slice(0, at).trim()) ? [pair.slice(at + 1).trim()] : []
    })
  }

  /** @returns a Set-Cookie header that keeps a token for so many seconds */
  write(token: string, seconds: number, isSecure: boolean): string {
    return this.#header(token, Math.max(0, Math.floor(seconds)), isSecure)
  }

  /** @returns a Set-Cookie header that makes the browser forget it */
  clear(isSecure: boolean): string {
    return this.#header('', 0, isSecure)
  }

  #header(value: string, seconds: number, isSecure: boolean): string {
    const name = `${isSecure ? HOST_PREFIX : ''}${this.#names[0]}`
    return `${name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`
  }
}
