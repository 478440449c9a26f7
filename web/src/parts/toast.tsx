import type { JSX } from 'preact'
import { useApp } from '../state/app.js'
import { t } from '../texts/en.js'
import { Icon } from './icons.js'
import './toast.css'

/** What was just done, with a way back; read out by screen readers. */
export function ToastArea(): JSX.Element {
  const { toasts } = useApp()
  const toast = toasts.current.value
  return (
    <div class="toast-area" role="status">
      {toast !== undefined && (
        <div class="toast" key={toast.id}>
          <span>{toast.text}</span>
          {toast.action !== undefined && (
            <button type="button" class="link-button" onClick={() => toasts.act()}>
              {toast.action.label}
            </button>
          )}
          <button type="button" class="icon-button" aria-label={t.close} onClick={() => toasts.dismiss()}>
            <Icon name="close" />
          </button>
        </div>
      )}
    </div>
  )
}
