import { OPENED_LINKS_MAX } from '../../domain/limits.js'

const HOST_PREFIX = '__Host-'
const TAG_CHARACTERS = 8
const COOKIE = /^[\w-]{32}\.[\w-]{0,32}$/

/**
 * Cookies by which a browser keeps share links open until it is closed: one for each, so that several are open at once. Like the
 * cookie of a session they are named after the cluster.
 */
export class LinkCookies {
  readonly #prefix: string

  /** @param tag - of the cluster's key */
  constructor(tag: string) {
    this.#prefix = `sheaf_link_${tag.slice(0, TAG_CHARACTERS)}_`
  }

  /**
   * @param header - Cookie, as it was sent
   * @returns what is in those for links, of the first {@link OPENED_LINKS_MAX}
   */
  read(header: string | undefined, isSecure: boolean): readonly string[] {
    return [...this.#all(header, isSecure).values()].slice(0, OPENED_LINKS_MAX)
  }

  /**
   * @param id - of the link
   * @param header - Cookie, as it was sent with the request
   * @returns Set-Cookie headers that keep it open, instead of the oldest where there are too many
   */
  write(id: string, value: string, header: string | undefined, isSecure: boolean): string[] {
    const name = this.#name(id, isSecure)
    const others = [...this.#all(header, isSecure).keys()].filter(other => other !== name)
    const excess = others.slice(0, Math.max(0, others.length - (OPENED_LINKS_MAX - 1)))
    return [...excess.map(other => setCookie(other, '', isSecure, true)), setCookie(name, value, isSecure, false)]
  }

  /** @returns Set-Cookie headers that make the browser forget all it has opened */
  clear(header: string | undefined, isSecure: boolean): string[] {
    return [...this.#all(header, isSecure).keys()].map(name => setCookie(name, '', isSecure, true))
  }

  #name(id: string, isSecure: boolean): string {
    return `${isSecure ? HOST_PREFIX : ''}${this.#prefix}${id.slice(0, TAG_CHARACTERS)}`
  }

  #all(header: string | undefined, isSecure: boolean): ReadonlyMap<string, string> {
    const prefix = this.#name('', isSecure)
    const found = new Map<string, string>()
    for (const pair of header?.split(';') ?? []) {
      const at = pair.indexOf('=')
      const [name, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
      if (at !== -1 && name.startsWith(prefix) && COOKIE.test(value)) found.set(name, value)
    }
    return found
  }
}

function setCookie(name: string, value: string, isSecure: boolean, isOver: boolean): string {
  const end = isOver ? '; Max-Age=0' : ''
  return `${name}=${value}; Path=/${end}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`
}
