/**
 * Yields the same, but asks for the next item while the present one is worked on. If the consumer ends early, the item that
 * was asked for is waited for and dropped, and so is its error.
 */
export async function* oneAhead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = items.next()
  try {
    for (;;) {
      const { done, value } = await next
      if (done === true) return
      next = items.next()
      next.catch(() => {}) // reported once it is this item's turn
      yield value
    }
  } finally {
    await next.catch(() => {})
    await items.return(undefined)
  }
}
