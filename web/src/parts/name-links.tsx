import type { JSX } from 'preact'
import { formatRoute, type Route } from '../router.js'
import { t } from '../texts/en.js'
import { Icon } from './icons.js'

export interface NameLinksProps {
  readonly names: readonly { readonly route: Route; readonly name: string; readonly count: number }[]
}

/** Albums or tags, with how many photos they have. */
export function NameLinks({ names }: NameLinksProps): JSX.Element {
  return (
    <div class="shelf">
      {names.map(({ route, name, count }) => (
        <a key={formatRoute(route)} class="button" href={formatRoute(route)} title={t.photos(count)}>
          <Icon name={route.page === 'tag' ? 'tag' : 'albums'} />
          {name} <span class="quiet">{t.number(count)}</span>
        </a>
      ))}
    </div>
  )
}
