import type { KeyText } from './texts/en-keys.js'

/** Where a key means something. */
export type Scope = 'everywhere' | 'gallery' | 'photo' | 'duplicates'

export interface KeyBinding {
  readonly scope: Scope
  /** As {@link keyOf} names them; the first is shown. A space joins keys that are pressed one after the other. */
  readonly keys: readonly string[]
  readonly action: KeyText
}

/** The one table that the dispatch, the list on `?` and a test go by. */
export const KEYS = [
  { scope: 'everywhere', keys: ['?'], action: 'help' },
  { scope: 'everywhere', keys: ['/'], action: 'search' },
  { scope: 'everywhere', keys: ['g p'], action: 'goPhotos' },
  { scope: 'everywhere', keys: ['g a'], action: 'goAlbums' },
  { scope: 'everywhere', keys: ['g d'], action: 'goDuplicates' },
  { scope: 'everywhere', keys: ['g t'], action: 'goTrash' },
  { scope: 'everywhere', keys: ['g c'], action: 'goCluster' },
  { scope: 'everywhere', keys: ['u'], action: 'upload' },
  { scope: 'everywhere', keys: ['Escape'], action: 'close' },
  { scope: 'gallery', keys: ['ArrowRight'], action: 'right' },
  { scope: 'gallery', keys: ['ArrowLeft'], action: 'left' },
  { scope: 'gallery', keys: ['ArrowUp'], action: 'up' },
  { scope: 'gallery', keys: ['ArrowDown'], action: 'down' },
  { scope: 'gallery', keys: ['Home'], action: 'first' },
  { scope: 'gallery', keys: ['End'], action: 'last' },
  { scope: 'gallery', keys: ['x', ' '], action: 'select' },
  { scope: 'gallery', keys: ['Shift+x', 'Shift+ '], action: 'selectTo' },
  { scope: 'gallery', keys: ['Mod+a'], action: 'selectAll' },
  { scope: 'gallery', keys: ['['], action: 'monthBefore' },
  { scope: 'gallery', keys: [']'], action: 'monthAfter' },
  { scope: 'gallery', keys: ['Delete'], action: 'delete' },
  { scope: 'gallery', keys: ['a'], action: 'album' },
  { scope: 'gallery', keys: ['t'], action: 'tag' },
  { scope: 'photo', keys: ['ArrowRight'], action: 'next' },
  { scope: 'photo', keys: ['ArrowLeft'], action: 'previous' },
  { scope: 'photo', keys: ['i'], action: 'info' },
  { scope: 'photo', keys: ['x'], action: 'selectPhoto' },
  { scope: 'photo', keys: ['0'], action: 'rate0' },
  { scope: 'photo', keys: ['1'], action: 'rate1' },
  { scope: 'photo', keys: ['2'], action: 'rate2' },
  { scope: 'photo', keys: ['3'], action: 'rate3' },
  { scope: 'photo', keys: ['4'], action: 'rate4' },
  { scope: 'photo', keys: ['5'], action: 'rate5' },
  { scope: 'photo', keys: ['z'], action: 'zoom' },
  { scope: 'photo', keys: ['f'], action: 'fullScreen' },
  { scope: 'photo', keys: ['s'], action: 'similar' },
  { scope: 'photo', keys: ['d'], action: 'download' },
  { scope: 'photo', keys: ['h'], action: 'favourite' },
  { scope: 'photo', keys: ['m'], action: 'playMotion' },
  { scope: 'photo', keys: ['p'], action: 'slideshow' },
  { scope: 'photo', keys: ['Delete'], action: 'deletePhoto' },
  { scope: 'photo', keys: ['Mod+z'], action: 'undo' },
  { scope: 'duplicates', keys: ['ArrowRight'], action: 'copyAfter' },
  { scope: 'duplicates', keys: ['ArrowLeft'], action: 'copyBefore' },
  { scope: 'duplicates', keys: ['ArrowDown'], action: 'groupAfter' },
  { scope: 'duplicates', keys: ['ArrowUp'], action: 'groupBefore' },
  { scope: 'duplicates', keys: ['k'], action: 'keepThis' },
  { scope: 'duplicates', keys: ['Shift+k'], action: 'keepAll' },
  { scope: 'duplicates', keys: ['m'], action: 'merge' },
  { scope: 'duplicates', keys: ['n'], action: 'noDuplicate' },
  { scope: 'duplicates', keys: ['Mod+z'], action: 'undoLast' }
] as const satisfies readonly KeyBinding[]

export type KeyAction = (typeof KEYS)[number]['action']

/** The part of a KeyboardEvent that counts. */
export interface Press {
  readonly key: string
  readonly ctrlKey: boolean
  readonly metaKey: boolean
  readonly altKey: boolean
  readonly shiftKey: boolean
}

/** @returns the name of a press; undefined for one that belongs to the browser or the system */
export function keyOf({ key, ctrlKey, metaKey, altKey, shiftKey }: Press): string | undefined {
  if (altKey) return undefined
  const isLetter = /^[a-z]$/i.test(key)
  const name = isLetter ? key.toLowerCase() : key
  if (ctrlKey || metaKey) return shiftKey ? undefined : `Mod+${name}`
  return shiftKey && (isLetter || key === ' ') ? `Shift+${name}` : name
}

/** Turns presses into actions: keeps the first of two keys in mind. */
export class KeyReader {
  #before: string | undefined

  /** @param scopes - those that hold now, the strongest first @returns undefined: it means nothing here */
  read(press: Press, scopes: readonly Scope[]): KeyAction | undefined {
    const key = keyOf(press)
    const before = this.#before
    this.#before = undefined
    if (key === undefined) return undefined
    const both = before === undefined ? undefined : actionOf(`${before} ${key}`, scopes)
    const action = both ?? actionOf(key, scopes)
    if (action === undefined && isFirstOfTwo(key, scopes)) this.#before = key
    return action
  }
}

function actionOf(keys: string, scopes: readonly Scope[]): KeyAction | undefined {
  for (const scope of scopes) {
    const binding = KEYS.find(it => it.scope === scope && (it.keys as readonly string[]).includes(keys))
    if (binding !== undefined) return binding.action
  }
  return undefined
}

function isFirstOfTwo(key: string, scopes: readonly Scope[]): boolean {
  return KEYS.some(({ scope, keys }) => scopes.includes(scope) && keys.some(it => it.startsWith(`${key} `)))
}
