/** Results that may wait for an earlier one. */
const AHEAD_MAX = 1_000

/**
 * Does `work` for each item, `limit` at a time, and delivers each result as soon as those of all items before it are
 * delivered. After the first error it starts no more work, and waits for what runs.
 *
 * @throws the first error of `items`, `work` or `deliver`
 */
export async function inOrder<Item, Result>(
  items: Iterable<Item> | AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
  deliver: (result: Result) => Promise<void>
): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  const waiting = new Map<number, Result>()
  const errors: unknown[] = []
  let taken = 0
  let delivered = 0
  let ended = false
  let taking: Promise<unknown> = Promise.resolve()
  let delivery = Promise.resolve()
  let sleepers: (() => void)[] = []

  const wake = (): void => {
    for (const resume of sleepers) resume()
    sleepers = []
  }
  /** One at a time: an iterator must not be asked again before it has answered. */
  const take = (): Promise<{ readonly item: Item; readonly index: number } | undefined> => {
    const next = taking.then(async () => {
      if (ended) return undefined
      const step = await iterator.next()
      ended = step.done === true
      return step.done === true ? undefined : { item: step.value, index: taken++ }
    })
    taking = next.catch(() => {})
    return next
  }
  const deliverReady = async (): Promise<void> => {
    while (waiting.has(delivered)) {
      const result = waiting.get(delivered) as Result
      waiting.delete(delivered++)
      await deliver(result)
    }
    wake()
  }
  const worker = async (): Promise<void> => {
    while (errors.length === 0) {
      const next = await take()
      if (next === undefined) return
      waiting.set(next.index, await work(next.item))
      delivery = delivery.then(deliverReady)
      await delivery
      // The worker with the item that all others wait for has delivered it before it comes here.
      while (waiting.size >= AHEAD_MAX && errors.length === 0) await new Promise<void>(resume => sleepers.push(resume))
    }
  }
  const guarded = async (): Promise<void> => {
    try {
      await worker()
    } catch (err) {
      errors.push(err)
      wake()
    }
  }
  await Promise.all(Array.from({ length: limit }, guarded))
  if (errors.length === 0) return
  await iterator.return?.()
  throw errors[0]
}
