import { totalmem } from 'node:os'
import { constrainedMemory } from 'node:process'

/** @returns what this process may use: the machine's memory, or less where its control group says so; bytes */
export function memoryBytes(): number {
  // 0: not known; without a limit it is a number beyond all memory
  return Math.min(totalmem(), constrainedMemory() || Number.POSITIVE_INFINITY)
}
