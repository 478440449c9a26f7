/** One turn of the event loop: whatever is ready runs first. For long work to be cut with. */
export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
