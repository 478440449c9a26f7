import { useSignal } from '@preact/signals'
import type { FunctionComponent, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { Waiting } from './waiting.js'

const MARK = 'sheaf-reloaded'

/** A part of the page that is fetched when it is first shown. */
export function lazy<P extends object>(load: () => Promise<FunctionComponent<P>>): FunctionComponent<P> {
  let part: FunctionComponent<P> | undefined
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
    return isThere.value && Part !== undefined ? <Part {...props} /> : <Waiting />
  }
}

/** The node has another build by now: its page knows the names of its parts. Once, so that a fault is no loop. */
function reloadOnce(): void {
  if (sessionStorage.getItem(MARK) !== null) return
  sessionStorage.setItem(MARK, '1')
  location.reload()
}
