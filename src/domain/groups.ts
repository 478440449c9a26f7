/** Connected components: union-find with path halving and union by size. */
export class Groups<Item> {
  readonly #parents = new Map<Item, Item>()
  readonly #sizes = new Map<Item, number>()

  connect(a: Item, b: Item): void {
    let [root, other] = [this.#root(a), this.#root(b)]
    if (root === other) return
    if (this.#size(root) < this.#size(other)) [root, other] = [other, root]
    this.#parents.set(other, root)
    this.#sizes.set(root, this.#size(root) + this.#size(other))
  }

  /** @returns the representative of the item's group: equal for two items exactly when they are connected */
  groupOf(item: Item): Item {
    return this.#root(item)
  }

  /** @returns all groups of at least two items */
  all(): Item[][] {
    const groups = new Map<Item, Item[]>()
    for (const item of this.#parents.keys()) {
      const root = this.#root(item)
      const group = groups.get(root)
      if (group === undefined) groups.set(root, [item])
      else group.push(item)
    }
    return [...groups.values()].filter(({ length }) => length > 1)
  }

  #root(item: Item): Item {
    let at = item
    for (;;) {
      const parent = this.#parents.get(at)
      if (parent === undefined) this.#parents.set(at, at)
      if (parent === undefined || parent === at) return at
      const above = this.#parents.get(parent) ?? parent
      this.#parents.set(at, above)
      at = above
    }
  }

  #size(root: Item): number {
    return this.#sizes.get(root) ?? 1
  }
}
