/** What is done with so many items takes about a millisecond. */
const ITEMS_IN_A_TURN = 2_048

/** Lets the event loop run everything that is ready. Long computations await it between slices. */
export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Calls `step`, which takes no longer than a microsecond or two, for each item. */
export async function eachInTurns<Item>(items: Iterable<Item>, step: (item: Item) => void): Promise<void> {
  let left = ITEMS_IN_A_TURN
  for (const item of items) {
    step(item)
    if (--left > 0) continue
    await turn()
    left = ITEMS_IN_A_TURN
  }
}

/** @returns the items sorted: by merging, so that a long list blocks nothing */
export async function sortInTurns<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number
): Promise<Item[]> {
  let runs: Item[][] = []
  for (let at = 0; at < items.length; at += ITEMS_IN_A_TURN) {
    runs.push(items.slice(at, at + ITEMS_IN_A_TURN).sort(compare))
    await turn()
  }
  while (runs.length > 1) {
    const merged: Item[][] = []
    for (let i = 0; i < runs.length; i += 2) merged.push(await merge(runs[i] ?? [], runs[i + 1] ?? [], compare))
    runs = merged
  }
  return runs[0] ?? []
}

async function merge<Item>(
  a: readonly Item[],
  b: readonly Item[],
  compare: (a: Item, b: Item) => number
): Promise<Item[]> {
  const merged: Item[] = []
  let [atA, atB] = [0, 0]
  while (merged.length < a.length + b.length) {
    const takesA = atB === b.length || (atA < a.length && compare(a[atA] as Item, b[atB] as Item) <= 0)
    merged.push((takesA ? a[atA++] : b[atB++]) as Item)
    if (merged.length % ITEMS_IN_A_TURN === 0) await turn()
  }
  return merged
}
