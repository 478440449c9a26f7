import { eachInTurns, sortInTurns } from '../core/turn.js'

export interface Link<Item> {
  readonly a: Item
  readonly b: Item
}

/**
 * Groups around centers. The item with most links is the first center and takes those that belong to it; of what is left the
 * one with most links is the next, and so on. So whatever is in a group belongs to its center, and a chain of items, each like
 * the next, does not become one group. What is only linked to members of other groups is in none. The order of the links does
 * not matter.
 *
 * @param belongs - whether an item linked to a member, which may be the center itself, belongs to that center
 * @returns disjoint groups of at least two, each with its center first; time grows with the links
 */
export async function groupsAround<Item extends string>(
  links: Iterable<Link<Item>>,
  belongs: (center: Item, other: Item, member: Item) => boolean
): Promise<Item[][]> {
  const linked = new Map<Item, Item[]>()
  const note = (item: Item, other: Item): void => {
    const others = linked.get(item)
    if (others === undefined) linked.set(item, [other])
    else others.push(other)
  }
  await eachInTurns(links, ({ a, b }) => {
    note(a, b)
    note(b, a)
  })
  const centers = await sortInTurns([...linked], ([a, ofA], [b, ofB]) => ofB.length - ofA.length || (a < b ? -1 : 1))
  const grouped = new Set<Item>()
  const groups: Item[][] = []
  function* looks(): Generator<undefined> {
    for (const [center] of centers) {
      yield
      if (grouped.has(center)) continue
      grouped.add(center)
      const group = [center]
      for (const member of group) {
        for (const other of linked.get(member) ?? []) {
          yield
          if (grouped.has(other) || !belongs(center, other, member)) continue
          grouped.add(other)
          group.push(other)
        }
      }
      if (group.length > 1) groups.push(group)
    }
  }
  await eachInTurns(looks(), () => {})
  return groups
}
