/** The page of the interface reads it from there, see web/docs. */
const KEY = 'sheaf.operator'

/**
 * `sheaf start` prints the address of the page with `#operator=TOKEN`. The token is kept for the tab, and nowhere else; the address
 * loses it, so that it is neither bookmarked nor passed on.
 */
export function keepOperatorToken(): void {
  const token = /^#operator=([0-9a-f]{16,128})$/.exec(location.hash)?.[1]
  if (token === undefined) return
  sessionStorage.setItem(KEY, token)
  history.replaceState(null, '', location.pathname)
}

/** What counts from then on is who is logged in. */
export function forgetOperatorToken(): void {
  sessionStorage.removeItem(KEY)
}

/** For what only the operator may do; empty without the token. */
export function operatorHeaders(): Readonly<Record<string, string>> {
  const token = sessionStorage.getItem(KEY)
  return token === null ? {} : { authorization: `Bearer ${token}` }
}
