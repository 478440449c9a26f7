const CHARACTERS_MAX = 256

/**
 * Where HTTP is served, as scheme, host and port: `https://photos.example.org`, `http://[fd00::7]:8000`.
 *
 * @param text - of anybody: from a command line or another node
 * @returns as browsers write it; undefined for what is no http(s) URL, or more than an origin: a path, a query, a user
 */
export function parseHttpOrigin(text: string): string | undefined {
  if (text.length > CHARACTERS_MAX || !URL.canParse(text)) return undefined
  const { protocol, username, password, pathname, search, hash, origin } = new URL(text)
  const isOrigin = pathname === '/' && username + password + search + hash === '' && !/[?#@\\\s]/.test(text)
  return /^https?:$/.test(protocol) && isOrigin && origin.length <= CHARACTERS_MAX ? origin : undefined
}
