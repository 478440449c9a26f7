import { useComputed, useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { formatRoute, type Route } from '../router.js'
import { useApp } from '../state/app.js'
import { NOTHING } from '../state/selection.js'
import { t } from '../texts/en.js'
import { droppedFiles, pickedFiles } from '../upload/dropped-files.js'
import { Icon, type IconName } from './icons.js'
import { type KeyActions, useKeys } from './keys.js'
import { lazy } from './lazy.js'
import { LostBar } from './lost-bar.js'
import { ToastArea } from './toast.js'
import './shell.css'

const PAGES: readonly {
  readonly route: Route
  readonly icon: IconName
  readonly title: string
  readonly needs?: string
}[] = [
  { route: { page: 'photos' }, icon: 'photos', title: t.photosTitle },
  { route: { page: 'albums' }, icon: 'albums', title: t.albums },
  { route: { page: 'duplicates' }, icon: 'duplicates', title: t.duplicates, needs: 'delete' },
  { route: { page: 'trash' }, icon: 'trash', title: t.trash, needs: 'delete' },
  { route: { page: 'cluster' }, icon: 'cluster', title: t.cluster, needs: 'watch' }
]

const UploadPanel = lazy(async () => (await import('./upload-panel.js')).UploadPanel)
const UserMenu = lazy(
  async () => (await import('./user-menu.js')).UserMenu,
  () => null
)
const GuestMenu = lazy(
  async () => (await import('./guest-menu.js')).GuestMenu,
  () => null
)
const BELOW_ALBUMS: ReadonlySet<Route['page']> = new Set(['album', 'label', 'favourites', 'archive'])

/** What is around every page: the way to the others, the search, uploads, and notes. */
export function Shell({ children }: { readonly children: ComponentChildren }): JSX.Element {
  const app = useApp()
  const search = useRef<HTMLInputElement>(null)
  const files = useRef<HTMLInputElement>(null)
  const base = app.base.value
  const can = app.session.can.value
  const isGuest = app.session.isGuest.value
  const keys: KeyActions<'everywhere'> = {
    help: () => {
      app.dialog.value = 'keys'
    },
    search: () => search.current?.select(),
    goPhotos: () => app.go({ page: 'photos' }),
    goAlbums: () => app.go({ page: 'albums' }),
    goDuplicates: () => app.go({ page: 'duplicates' }),
    goTrash: () => app.go({ page: 'trash' }),
    goCluster: () => app.go({ page: 'cluster' }),
    upload: () => files.current?.click(),
    close: () => {
      app.selection.value = NOTHING
    }
  }
  useKeys('everywhere', keys)
  const hasUploads = useComputed(() => app.uploads.items.value.length > 0)
  const q = base.page === 'search' || base.page === 'found' ? base.q : ''
  return (
    <div class={isGuest ? 'shell is-guest' : 'shell'}>
      <button type="button" class="skip" onClick={() => document.querySelector<HTMLElement>('#content')?.focus()}>
        {t.skip}
      </button>
      <header class="top">
        <a class="brand" href={formatRoute({ page: 'photos' })}>
          {t.name}
        </a>
        {isGuest ? (
          <GuestMenu />
        ) : (
          <search class="search-place">
            <form
              class="search"
              onSubmit={event => {
                event.preventDefault()
                const text = search.current?.value.trim() ?? ''
                if (text !== '') app.go({ page: 'search', q: text })
                search.current?.blur()
              }}
            >
              <Icon name="search" />
              <input
                ref={search}
                type="search"
                name="q"
                key={q}
                defaultValue={q}
                aria-label={t.search}
                placeholder={t.search}
                maxLength={200}
              />
            </form>
          </search>
        )}
        {can.has('upload') && <UploadButton files={files} />}
        {(app.session.user.value !== undefined || can.has('accounts')) && <UserMenu />}
      </header>
      {!isGuest && (
        <nav class="pages" aria-label={t.navigation}>
          {PAGES.filter(({ needs }) => needs === undefined || can.has(needs)).map(({ route, icon, title }) => (
            <a
              key={route.page}
              href={formatRoute(route)}
              aria-current={isPart(base, route) ? 'page' : undefined}
              class={isPart(base, route) ? 'is-here' : undefined}
            >
              <Icon name={icon} />
              <span>{title}</span>
            </a>
          ))}
          <button
            type="button"
            class="icon-button wide-only keys-button"
            aria-label={t.keysTitle}
            title={t.keysTitle}
            onClick={() => keys.help()}
          >
            ?
          </button>
        </nav>
      )}
      <main id="content" class="content" tabIndex={-1}>
        {app.route.value.page !== 'photo' && <LostBar />}
        {children}
      </main>
      {hasUploads.value && <UploadPanel />}
      {app.route.value.page !== 'photo' && <ToastArea />}
      {can.has('upload') && <DropArea />}
    </div>
  )
}

function isPart(base: Route, route: Route): boolean {
  return base.page === route.page || (route.page === 'albums' && BELOW_ALBUMS.has(base.page))
}

/** @param files - the picker of files, for whoever wants to open it */
function UploadButton({ files }: { readonly files: { current: HTMLInputElement | null } }): JSX.Element {
  const { uploads } = useApp()
  const folder = useRef<HTMLInputElement>(null)
  const add = (picked: File[]): void => uploads.add(pickedFiles(picked))
  return (
    <>
      <button type="button" class="button wide-only" onClick={() => folder.current?.click()}>
        {t.library.chooseFolder}
      </button>
      <button type="button" class="button button-strong" onClick={() => files.current?.click()}>
        <Icon name="upload" />
        <span class="wide-only">{t.upload}</span>
        <span class="visually-hidden narrow-only">{t.upload}</span>
      </button>
      <FileInput input={files} isFolder={false} onFiles={add} />
      <FileInput input={folder} isFolder onFiles={add} />
    </>
  )
}

export interface FileInputProps {
  readonly input: { current: HTMLInputElement | null }
  readonly isFolder: boolean
  readonly onFiles: (files: File[]) => void
}

export function FileInput({ input, isFolder, onFiles }: FileInputProps): JSX.Element {
  return (
    <input
      ref={element => {
        input.current = element
      }}
      class="file-input"
      type="file"
      multiple
      hidden
      aria-label={isFolder ? t.library.chooseFolder : t.library.chooseFiles}
      {...(isFolder && { webkitdirectory: true })}
      onChange={event => {
        onFiles(Array.from(event.currentTarget.files ?? []))
        event.currentTarget.value = ''
      }}
    />
  )
}

/** The whole page takes what is dropped. */
function DropArea(): JSX.Element | null {
  const { uploads, toasts } = useApp()
  const isOver = useSignal(false)
  useEffect(() => {
    let depth = 0
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') === true
    const enter = (event: DragEvent): void => {
      if (!hasFiles(event)) return
      // what comes under the pointer meanwhile is asked by this event alone whether it takes a drop
      event.preventDefault()
      depth++
      isOver.value = true
    }
    const leave = (): void => {
      depth = Math.max(0, depth - 1)
      if (depth === 0) isOver.value = false
    }
    const over = (event: DragEvent): void => {
      if (hasFiles(event)) event.preventDefault()
    }
    const drop = (event: DragEvent): void => {
      depth = 0
      isOver.value = false
      if (event.dataTransfer === null || !hasFiles(event)) return
      event.preventDefault()
      void droppedFiles(event.dataTransfer).then(({ files, unread: [first, ...more] }) => {
        uploads.add(files)
        if (first !== undefined) toasts.say(t.uploads.unread(first, more.length))
      })
    }
    const listeners = { dragenter: enter, dragleave: leave, dragover: over, drop } as const
    for (const [name, listener] of Object.entries(listeners)) document.addEventListener(name, listener as EventListener)
    return () => {
      for (const [name, listener] of Object.entries(listeners))
        document.removeEventListener(name, listener as EventListener)
    }
  }, [])
  if (!isOver.value) return null
  return (
    <div class="drop-area">
      <p>
        <Icon name="upload" />
        {t.uploads.drop}
      </p>
    </div>
  )
}
