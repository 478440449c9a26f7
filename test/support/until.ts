/**
 * Waits for what has to come about in other processes by itself.
 *
 * @param what - for the error
 * @throws when it has not come about within `msMax`
 */
export async function until(what: string, msMax: number, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + msMax
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${msMax} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}
