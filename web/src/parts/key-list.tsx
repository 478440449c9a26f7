import type { JSX } from 'preact'
import { KEYS, type Scope } from '../keys.js'
import { t } from '../texts/en.js'
import { KEY_TEXTS, SCOPE_TEXTS } from '../texts/en-keys.js'
import { Dialog } from './dialog.js'
import './key-list.css'

const SCOPES: readonly Scope[] = ['everywhere', 'gallery', 'photo', 'duplicates']
const NAMES: Readonly<Record<string, string>> = {
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Escape: 'Esc',
  ' ': 'Space',
  'Shift+x': 'Shift X',
  'Shift+k': 'Shift K',
  'Mod+a': 'Ctrl A',
  'Mod+z': 'Ctrl Z'
}

/** All keys that mean something, out of the table by which they do. */
export function KeyList({ onClose }: { readonly onClose: () => void }): JSX.Element {
  return (
    <Dialog title={t.keysTitle} onClose={onClose}>
      <div class="key-list">
        {SCOPES.map(scope => (
          <section key={scope} aria-label={SCOPE_TEXTS[scope]}>
            <h3>{SCOPE_TEXTS[scope]}</h3>
            <dl>
              {KEYS.filter(it => it.scope === scope).map(({ keys: [key], action }) => (
                <div key={action}>
                  <dt>
                    {(NAMES[key] ?? key).split(' ').map(part => (
                      <kbd key={part}>{part}</kbd>
                    ))}
                  </dt>
                  <dd>{KEY_TEXTS[action]}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  )
}
