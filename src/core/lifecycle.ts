/** A part with a running state. `start` acquires; `stop` is idempotent and waits for what is in flight. */
export interface Startable {
  start(): Promise<void>
  stop(): Promise<void>
}
