import { useLayoutEffect } from 'preact/hooks'
import { type KEYS, type KeyAction, KeyReader, type Scope } from '../keys.js'

type Handlers = Partial<Record<KeyAction, () => unknown>>
type ActionOf<S extends Scope> = Extract<(typeof KEYS)[number], { readonly scope: S }>['action']
/** What all keys of a scope do. */
export type KeyActions<S extends Scope> = Readonly<Record<ActionOf<S>, () => unknown>>
/** Keys that the bar of the selection has. */
export type SelectionKey = 'delete' | 'album' | 'tag'

const handlers = new Map<Scope, Set<Handlers>>()
const STRENGTH: readonly Scope[] = ['photo', 'gallery', 'duplicates', 'everywhere']
/** While something lies above a page, its keys sleep. */
const HIDING: ReadonlySet<Scope> = new Set(['photo'])
const HIDDEN: ReadonlySet<Scope> = new Set(['gallery', 'duplicates'])

/** While the part is there, and no longer, keys of the scope do this. An effect would end only after the next frame. */
export function useKeys(scope: Scope, actions: Handlers): void {
  useLayoutEffect(() => {
    const all = handlers.get(scope) ?? new Set()
    handlers.set(scope, all.add(actions))
    return () => {
      all.delete(actions)
      if (all.size === 0) handlers.delete(scope)
    }
  })
}

/** Listens to the keys of the page. @returns a function that ends it */
export function listenToKeys(target: Document): () => void {
  const reader = new KeyReader()
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || isWriting(event.target) || isAsked(target)) return
    const present = STRENGTH.filter(scope => handlers.has(scope))
    const scopes = present.some(scope => HIDING.has(scope)) ? present.filter(scope => !HIDDEN.has(scope)) : present
    const action = reader.read(event, scopes)
    if (action === undefined || isPress(event)) return
    const run = scopes
      .flatMap(scope => [...(handlers.get(scope) ?? [])])
      .map(actions => actions[action])
      .find(it => it !== undefined)
    if (run === undefined) return
    event.preventDefault()
    run()
  }
  target.addEventListener('keydown', onKeyDown)
  return () => target.removeEventListener('keydown', onKeyDown)
}

/** Letters belong to what one writes into. */
function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable], video')
}

/** A dialog that asks something has its own keys, wherever the focus is; the photo's is part of the page. */
function isAsked(page: Document): boolean {
  return page.querySelector('dialog:not(.lightbox)') !== null
}

/** Space presses the button that has the focus. */
function isPress({ key, target }: KeyboardEvent): boolean {
  return key === ' ' && target instanceof HTMLElement && target.matches('button, summary')
}
