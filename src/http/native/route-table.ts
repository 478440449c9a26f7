/** The methods of each path, to distinguish 405 from 404. Patterns as in routes: `/photo/:id/meta`. */
export class RouteTable {
  readonly #routes: { readonly segments: readonly string[]; readonly methods: Set<string> }[] = []

  add(pattern: string, methods: readonly string[]): void {
    const segments = pattern.split('/')
    const known = this.#routes.find(route => route.segments.join('/') === pattern)
    if (known === undefined) this.#routes.push({ segments, methods: new Set(methods) })
    else for (const method of methods) known.methods.add(method)
  }

  /** @param url - may have a query. @returns sorted; empty when no pattern matches */
  methodsOf(url: string): string[] {
    const segments = segmentsOf(url)
    const methods = this.#routes
      .filter(route => route.segments.length === segments.length)
      .filter(route =>
        route.segments.every((segment, i) => segment === segments[i] || (segment.startsWith(':') && segments[i] !== ''))
      )
      .flatMap(route => [...route.methods])
    return [...new Set(methods)].sort()
  }
}

/** As the router sees them, for which escapes and what stands before the path make no difference. */
function segmentsOf(url: string): string[] {
  const [path = ''] = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').split(/[?#]/, 1)
  return path.split('/').map(segment => {
    try {
      return decodeURIComponent(segment)
    } catch {
      return segment // the router has refused it, or will
    }
  })
}
