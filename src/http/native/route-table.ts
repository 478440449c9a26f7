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
    const [path = ''] = url.split('?', 1)
    const segments = path.split('/')
    const methods = this.#routes
      .filter(route => route.segments.length === segments.length)
      .filter(route =>
        route.segments.every((segment, i) => segment === segments[i] || (segment.startsWith(':') && segments[i] !== ''))
      )
      .flatMap(route => [...route.methods])
    return [...new Set(methods)].sort()
  }
}
