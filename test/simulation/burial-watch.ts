import type { RecordChange } from '../../src/directory/batch-plan.js'
import { PHOTO_KIND, viewPhoto } from '../../src/domain/photo.js'
import type { SimulatedClock } from '../support/simulated-clock.js'
import type { Target, Workload } from './workload.js'

/** Watches graves arrive: none comes before the undo period is over, and what one ends that lived is laid out. */
export class BurialWatch {
  readonly #workload: Workload
  readonly #clock: SimulatedClock
  readonly #undoMs: number

  constructor(
    components: { readonly workload: Workload; readonly clock: SimulatedClock },
    init: { readonly undoMs: number }
  ) {
    this.#workload = components.workload
    this.#clock = components.clock
    this.#undoMs = init.undoMs
  }

  /** Call it each time that the node has started. */
  follow(target: Target): void {
    const { directory, laidOut } = target.services.local
    directory.onChange(changes => {
      if (directory.state !== 'open' || laidOut.isNew) return // a replay of the log, or old news
      for (const change of changes) {
        if (change.key.kind === PHOTO_KIND && change.after === undefined) this.#judge(target, change)
      }
    })
  }

  #judge({ name, services }: Target, { key, before }: RecordChange): void {
    const { violations, histories } = this.#workload
    const { directory, laidOut } = services.local
    const generation = directory.lookUp(key).grave?.generation
    const history = histories.find(({ id }) => id === key.id)
    if (generation === undefined || history === undefined) return
    const deletes = history.deletesOf(generation)
    const isDue = deletes.some(({ beganMs }) => this.#clock.monotonic() - beganMs >= this.#undoMs)
    if (!isDue) violations.push(`${name}: ${key.id} is buried before its undo period is over`)
    if (before === undefined || viewPhoto(before).deleted || laidOut.holds(key, generation)) return
    violations.push(`${name}: a grave ends ${key.id}, which lives there, and it is not laid out`)
  }
}
