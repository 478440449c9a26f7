import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { FormField, typedInto } from '../parts/form-field.js'
import { useLoaded } from '../parts/loaded.js'
import { Problem } from '../parts/problem.js'
import { Waiting } from '../parts/waiting.js'
import { useApp } from '../state/app.js'
import { openLink, readLinked } from '../state/guest.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-guest.js'
import { PhotosPage } from './photos-page.js'
import { whyNot } from './why-not.js'
import './login-page.css'

const PASSWORD_CHARACTERS_MAX = 1_024

/** Opens a link, above all else that is there, and asks for what it needs. @param secret - undefined: there is no link any more */
export function LinkPage({ secret }: { readonly secret: string | undefined }): JSX.Element {
  const app = useApp()
  const dialog = useRef<HTMLDialogElement>(null)
  const isBusy = useSignal(false)
  const problem = useSignal<ApiError | undefined>(undefined)
  /** It stays when a password was wrong. */
  const needsPassword = useSignal(false)
  const open = async (password?: string): Promise<void> => {
    if (secret === undefined || isBusy.peek()) return
    isBusy.value = true
    try {
      await openLink(app, secret, password)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      const isPassword = error.code === 'ERR_LINK_PASSWORD'
      // that it needs one is no problem yet
      problem.value = isPassword && password === undefined ? undefined : error
      needsPassword.value ||= isPassword
    } finally {
      isBusy.value = false
    }
  }
  useEffect(() => {
    dialog.current?.showModal()
    void open()
  }, [])
  const leave = (): void => {
    app.secret.value = undefined
    app.replace({ page: 'photos' })
  }
  const { value: error } = problem
  const isGone = secret === undefined || error?.code === 'ERR_LINK_NOT_FOUND'
  return (
    <dialog
      ref={dialog}
      class="login"
      aria-labelledby="link-title"
      onCancel={event => event.preventDefault()}
      // a browser closes it all the same when Escape is pressed twice
      onClose={() => dialog.current?.showModal()}
      onKeyDown={event => event.key === 'Escape' && event.preventDefault()}
    >
      <div class="login-body">
        <p class="login-brand">{t.name}</p>
        <h1 id="link-title">{words.title}</h1>
        {needsPassword.value && !isGone && (
          <form
            class="form"
            method="post"
            onSubmit={event => {
              event.preventDefault()
              void open(typedInto(event.currentTarget).password)
            }}
          >
            <p>{words.needsPassword}</p>
            <FormField
              name="password"
              type="password"
              label={words.password}
              autocomplete="off"
              maxLength={PASSWORD_CHARACTERS_MAX}
              isRequired
            />
            <button type="submit" class="button button-strong" disabled={isBusy.value}>
              {words.open}
            </button>
          </form>
        )}
        {secret === undefined && <p>{words.notOpen}</p>}
        {error !== undefined && (
          <p class="note" role="alert">
            {whyNot(error)}
          </p>
        )}
        {isBusy.value && <Waiting />}
        {error !== undefined && !isGone && !needsPassword.value && (
          <button type="button" class="button" disabled={isBusy.value} onClick={() => void open()}>
            {t.again}
          </button>
        )}
        {isGone && (
          <button type="button" class="button" onClick={leave}>
            {app.session.access.value === 'out' ? words.logIn : words.goToPhotos}
          </button>
        )}
      </div>
    </dialog>
  )
}

/** Photos that a link is of, or all that links have opened. @param id - what lists them; empty: all */
export function LinkedPhotos({ id }: { readonly id: string }): JSX.Element {
  const { api, session, uploads } = useApp()
  const filters = id === '' ? {} : { album: id }
  const linked = useLoaded(`linked ${id}`, signal => readLinked(api, filters, signal), { follows: true })
  const { albums = [], order } = linked.value.value ?? {}
  const album = albums.find(it => it.album_id === id)
  const into = session.isGuest.value ? album?.album_id : undefined
  useEffect(() => {
    uploads.into = into ?? undefined
    return () => {
      uploads.into = undefined
    }
  }, [into])
  if (order === undefined) {
    const { value: error } = linked.error
    return error === undefined ? <Waiting /> : <Problem error={error} onAgain={linked.load} />
  }
  return <PhotosPage title={album?.name ?? words.photos} filters={{ ...filters, ...order }} empty={words.none} />
}
