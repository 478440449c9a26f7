import { useSignal } from '@preact/signals'
import type { FunctionComponent, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { Waiting } from './waiting.js'

const MARK = 'sheaf-reloaded'

const parts: (() => Promise<unknown>)[] = []

/** Fetches what is not here yet, to be called when there is time: it may be needed when the node does not answer any more. */
export async function fetchParts(): Promise<void> {
  for (const load of parts) await load().catch(() => {}) // whoever shows it tries again, and says so
}

/** A part of the page that is fetched when it is first shown, or before. @param Meanwhile - in its place until it is there */
export function lazy<P extends object>(
  load: () => Promise<FunctionComponent<P>>,
  Meanwhile: FunctionComponent = Waiting
): FunctionComponent<P> {
  let part: FunctionComponent<P> | undefined
  parts.push(load)
  return function Lazy(props: P): JSX.Element {
    const isThere = useSignal(part !== undefined)
    useEffect(() => {
      if (part !== undefined) return
      load().then(loaded => {
        part = loaded
        isThere.value = true
        sessionStorage.removeItem(MARK)
      }, reloadOnce)
    }, [])
    const Part = part
    return isThere.value && Part !== undefined ? <Part {...props} /> : <Meanwhile />
  }
}

/** The node has another build by now: its page knows the names of its parts. Once, so that a fault is no loop. */
async function reloadOnce(): Promise<void> {
  if (!(await answers())) return
  if (sessionStorage.getItem(MARK) !== null) return
  sessionStorage.setItem(MARK, '1')
  location.reload()
}

/** Of a node that is gone the page stays, with all that is on it. */
function answers(): Promise<boolean> {
  return fetch('/', { method: 'HEAD', cache: 'no-store' }).then(
    ({ ok }) => ok,
    () => false
  )
}
