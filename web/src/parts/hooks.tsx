import type { Component, FunctionComponent, JSX } from 'preact'
import { useRef } from 'preact/hooks'

/** @returns always the same function, which does what the last one given does */
export function useStable<A extends readonly unknown[]>(run: (...args: A) => void): (...args: A) => void {
  const latest = useRef(run)
  latest.current = run
  return useRef((...args: A): void => latest.current(...args)).current
}

/** A part that is drawn again only when one of its properties is another one. `preact/compat` has the same, and much more. */
export function memo<P extends object>(Part: FunctionComponent<P>): FunctionComponent<P> {
  return function Memoed(this: Component<P>, props: P): JSX.Element {
    this.shouldComponentUpdate = next => differs(this.props, next)
    return <Part {...props} />
  } as FunctionComponent<P>
}

function differs(before: object, after: object): boolean {
  const keys = Object.keys(after) as (keyof object)[]
  return keys.length !== Object.keys(before).length || keys.some(key => before[key] !== after[key])
}
