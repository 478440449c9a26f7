import type { JSX } from 'preact'
import { formatRoute } from '../router.js'
import { useApp } from '../state/app.js'
import { samePlaceAt } from '../state/session.js'
import { t } from '../texts/en.js'
import './lost-bar.css'

/** The node does not answer: says so, and leads to the same place at others. */
export function LostBar(): JSX.Element | null {
  const { live, session, route } = useApp()
  if (!live.isLost.value) return null
  const here = { protocol: location.protocol, hash: formatRoute(route.value) }
  const others = session.others.value
  return (
    <div class="lost" role="alert">
      <p>
        <strong>{t.lost.title(session.name.value)}</strong> {t.lost.hint}
      </p>
      {others.length > 0 && (
        <p>
          {t.lost.elsewhere}{' '}
          {others.map(node => (
            <a key={node.id} class="button" href={samePlaceAt(node, here)}>
              {node.name || node.id}
            </a>
          ))}
        </p>
      )}
    </div>
  )
}

/** Whether who is here may change photos and albums, or delete them. */
export function useMayEdit(): boolean {
  return useApp().session.can.value.has('edit')
}

/** Whether who is here gets originals. */
export function useMayDownload(): boolean {
  return useApp().session.can.value.has('download')
}

/** For buttons and fields that change something: they rest while nothing can be changed, and say why. */
export function useWrites(): { readonly disabled: boolean; readonly title: string | undefined } {
  const { live } = useApp()
  const isLost = live.isLost.value
  return { disabled: isLost, title: isLost ? t.lost.noChanges : undefined }
}
