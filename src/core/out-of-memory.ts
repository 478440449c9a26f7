import { writeFileSync } from 'node:fs'
import { platform } from 'node:os'

/** Higher than what a node has, so that the kernel takes this process before it. */
const SCORE = '800'

/**
 * Where memory runs out, Linux ends the process with the highest score: not the node, whose work nobody can take over, but
 * one that it starts again. Does nothing on other systems, and where the score cannot be set.
 */
export function offerToOutOfMemoryKiller(): void {
  if (platform() !== 'linux') return
  try {
    writeFileSync('/proc/self/oom_score_adj', SCORE)
  } catch {
    // a container without /proc, or a sandbox: the kernel then decides by size alone
  }
}
