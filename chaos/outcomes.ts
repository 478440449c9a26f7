import type { Outcome } from './history.js'

/** Errors that say that nothing was done, whatever their status. */
const REFUSALS: readonly string[] = ['ERR_LEAVING', 'ERR_STOPPING']
/** The photo is stored. */
const KEPT = 'ERR_TOO_FEW_COPIES'
const DISK_FULL = 507

/** @returns what became of a request that was answered so: never a guess */
export function outcomeOf(status: number, code: string | undefined): Outcome {
  if (status < 400 || code === KEPT) return 'ok'
  if (status < 500 || status === DISK_FULL || (code !== undefined && REFUSALS.includes(code))) return 'failed'
  return 'indeterminate'
}
