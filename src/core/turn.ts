/** Lets the event loop run everything that is ready. Long computations await it between slices. */
export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
