import { lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { systemErrorCode } from '../../core/errors.js'

/**
 * Removes the Unix socket that a process has left behind which did not end in peace. What is no socket stays, and so does
 * one where somebody listens.
 *
 * @returns whether it was removed
 */
export async function removeStaleSocket(path: string): Promise<boolean> {
  try {
    if (!(await lstat(path)).isSocket() || (await answers(path))) return false
    await unlink(path)
    return true
  } catch (err) {
    if (systemErrorCode(err) === 'ENOENT') return true // it has just gone
    return false // whatever it is, it cannot be removed: the address is in use
  }
}

/** @returns false only where nobody listens */
function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ path }, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', err => resolve(systemErrorCode(err) !== 'ECONNREFUSED'))
  })
}
