/** Which methods a path has, to tell 405 from 404. Patterns are as routes have them: `/photo/:id/meta`. */
export class RouteTable {
  readonly #routes: { readonly segments: readonly string[]; readonly methods: Set<string> }[] = []

  add(pattern: string, methods: readonly string[]): void {
    const segments = pattern.split('/')
    const known = this.#routes.find(route => route.segments.join('/') === pattern)
    if (known === undefined) this.#routes.push({ segments, methods: new Set(methods) })
    else for (const method of methods) known.methods.add(method)
  }

  /** @returns sorted; empty when no pattern fits the path, which may have a query */
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
