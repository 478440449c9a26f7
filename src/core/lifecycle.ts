/** A component that runs. `start` acquires resources; `stop` is idempotent and waits for work in flight. */
export interface Startable {
  start(): Promise<void>
  stop(): Promise<void>
}
