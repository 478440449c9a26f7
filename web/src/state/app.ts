import { computed, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals'
import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import { Api, type SessionAnswer } from '../api/client.js'
import { browserTimers, type Timers } from '../browser/timers.js'
import { formatRoute, parseRoute, type Route, secretIn } from '../router.js'
import { Uploads } from '../upload/uploads.js'
import { Live } from './live.js'
import { forgetOperatorToken, operatorHeaders } from './operator.js'
import { NOTHING, type Selection } from './selection.js'
import { Session } from './session.js'
import { Timeline } from './timeline.js'
import { Toasts } from './toasts.js'

/** What is looked at first is read before anything is followed: a browser opens six connections to a node. */
const FOLLOWS_AFTER_MS = 1_000

/** A list of photos that can be gone through one by one, as the photo's page does. */
export interface PhotoOrder {
  /** @param day - on which it was taken, `2024-05-01` @returns undefined: there is none */
  neighbour(id: string, step: 1 | -1, day?: string): Promise<string | undefined>
}

/** All that the parts of the page share. */
export class App {
  readonly timers: Timers = browserTimers
  readonly live: Live
  readonly api: Api
  readonly session: Session
  readonly toasts: Toasts
  readonly uploads: Uploads
  readonly route: Signal<Route>
  /** What lies below the photo that is shown, if one is. */
  readonly base: ReadonlySignal<Route>
  /** Of a link that is to be opened. */
  readonly secret: Signal<string | undefined> = signal(undefined)
  /** Of the page below. */
  readonly selection: Signal<Selection> = signal(NOTHING)
  /** The photos of the page below, in their order. */
  readonly order: Signal<PhotoOrder | undefined> = signal(undefined)
  /** Chooses a photo of the page below, or not any more; undefined: nothing is chosen there. */
  readonly choose: Signal<((id: string) => void) | undefined> = signal(undefined)
  /** To be shown as chosen and focused when a photo is closed. */
  readonly lastShown: Signal<string | undefined> = signal(undefined)
  readonly dialog: Signal<'keys' | undefined> = signal(undefined)
  readonly #timelines = new Map<string, Timeline>()
  /** Pages of this visit that lie below in the history. */
  #depth = 0
  #isOver = false
  #mayFollow = false

  constructor() {
    this.live = new Live({
      timers: this.timers,
      open: () => new EventSource('/events?bursts=true'),
      answers,
      onRefused: () => void this.session.reload()
    })
    const { live } = this
    this.api = new Api(
      window.fetch.bind(window),
      isReached => live.reached(isReached),
      () => live.isLost.peek(),
      { isShut: () => this.session.access.peek() === 'out', shut: () => this.session.end() }
    )
    this.session = new Session({
      ask: () => this.#askSession(),
      storage: localStorage,
      onOther: () => this.startAnew(),
      timers: this.timers
    })
    this.toasts = new Toasts(this.timers)
    this.uploads = new Uploads({
      api: this.api,
      timers: this.timers,
      isLost: this.live.isLost,
      onSessionEnd: () => this.session.end()
    })
    this.route = signal(this.#read())
    let below: Route = { page: 'photos' }
    this.base = computed(() => {
      const route = this.route.value
      if (route.page !== 'photo') below = route
      return below
    })
    this.live.onChange(() => {
      void this.session.load()
      this.readAnew()
    })
  }

  start(): void {
    this.#show(this.route.peek())
    window.addEventListener('hashchange', () => {
      const route = this.#read()
      if (route.page !== 'photo' && formatRoute(route) !== formatRoute(this.base.peek())) this.selection.value = NOTHING
      this.#show(route)
    })
    document.addEventListener('visibilitychange', () => this.#follow())
    window.addEventListener('offline', () => this.live.reached(false))
    window.addEventListener('pagehide', () => this.live.stop())
    effect(() => {
      const isOut = this.session.access.value !== 'in'
      if (isOut) this.uploads.hold()
      else this.uploads.release()
      this.#follow()
    })
    this.timers.after(FOLLOWS_AFTER_MS, () => {
      this.#mayFollow = true
      this.#follow()
    })
    void this.session.load()
  }

  /** The secret of a link leaves the address, and so the history, before anything else is done. */
  #read(): Route {
    const { hash } = location
    const secret = secretIn(hash)
    if (secret !== undefined) {
      this.secret.value = secret
      history.replaceState(null, '', formatRoute({ page: 'link', id: '' }))
    }
    return parseRoute(hash)
  }

  /** Other photos may be among those that are shown. */
  readAnew(): void {
    for (const timeline of this.#timelines.values()) void timeline.load()
  }

  /** Somebody else is here: nothing that was typed before may be sent. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Whoever comes next finds nothing of whoever was here before. */
  startAnew(): void {
    this.#isOver = true
    this.uploads.giveUp()
    location.reload()
  }

  /** What happens is of interest to somebody who looks at it, and may. */
  #follow(): void {
    if (document.hidden || this.session.access.peek() !== 'in') this.live.stop()
    else if (this.#mayFollow) this.live.start()
  }

  async #askSession(): Promise<SessionAnswer> {
    const headers = operatorHeaders()
    const answer = await this.api.get('/session', { headers })
    if (!answer.accounts || headers.authorization === undefined) return answer
    // the token hides who is logged in
    forgetOperatorToken()
    return await this.api.get('/session')
  }

  go(route: Route): void {
    this.#depth++
    location.hash = formatRoute(route)
  }

  /** Shows it in the place of what is shown, so that going back leads to what was before both. */
  replace(route: Route): void {
    history.replaceState(null, '', formatRoute(route))
    this.#show(route)
  }

  #show(route: Route): void {
    this.route.value = route
    if (route.page === 'photo') this.lastShown.value = route.id
  }

  /** Leaves the photo. */
  back(): void {
    if (this.#depth > 0) {
      this.#depth--
      history.back()
    } else this.replace(this.base.peek())
  }

  /** The photos that the filters let through. */
  timeline(filters: Readonly<Record<string, string>> = {}): Timeline {
    const name = new URLSearchParams(filters).toString()
    let timeline = this.#timelines.get(name)
    if (timeline === undefined) {
      timeline = new Timeline(this.api, filters)
      // the library is always kept, and the view that was looked at last
      for (const key of this.#timelines.keys()) if (key !== '') this.#timelines.delete(key)
      this.#timelines.set(name, timeline)
      void timeline.load()
    }
    return timeline
  }
}

/** @returns whether the node answers, within a second */
async function answers(): Promise<boolean> {
  try {
    return (await fetch('/health/live', { signal: AbortSignal.timeout(1_000) })).ok
  } catch {
    return false
  }
}

export const AppContext = createContext<App | undefined>(undefined)

export function useApp(): App {
  const app = useContext(AppContext)
  if (app === undefined) throw new Error('outside of the page')
  return app
}
