/** A file that is to be uploaded, and what is known of it beside its bytes. */
export interface UploadFile {
  readonly name: string
  /** Folder that it was in, `2024/Kiel`; empty: none. */
  readonly folder: string
  readonly size: number
  /** When it was last changed, ms since 1970. */
  readonly modifiedMs: number
}

export type UploadState =
  | 'waiting'
  | 'hashing'
  | 'checking'
  | 'sending'
  | 'done'
  /** Its bytes are there: nothing was sent. */
  | 'there'
  /** Its bytes are in the trash: nothing was sent. */
  | 'trashed'
  /** It was in the trash, and is not any more. */
  | 'restored'
  | 'failed'

/** Nothing more is done with it by itself. */
export const FINISHED: ReadonlySet<UploadState> = new Set(['done', 'there', 'trashed', 'restored', 'failed'])

export interface UploadItem<F extends UploadFile = UploadFile> {
  readonly id: number
  readonly file: F
  readonly state: UploadState
  /** Bytes that have been sent. */
  readonly sent: number
  readonly sha256: string | undefined
  readonly photoId: string | undefined
  readonly error: UploadError | undefined
}

export interface UploadError {
  readonly code: string
  readonly detail: string
  /** Whether it may help to send the same again. */
  readonly isPassing: boolean
}

export interface Present {
  readonly photoId: string
  readonly state: 'live' | 'trashed'
}

/** What sending has come to. */
export type Sent =
  | { readonly photoId: string }
  | { readonly error: UploadError; readonly status: number; readonly retryAfterS: number | undefined }

export interface UploadPorts<F extends UploadFile> {
  /** @returns SHA-256, hex @throws when the file cannot be read */
  hash(file: F, signal: AbortSignal): Promise<string>
  /** @param digests - at most {@link EXISTS_MAX} @throws when the node does not answer */
  exists(digests: readonly string[]): Promise<ReadonlyMap<string, Present>>
  /** @param key - of the upload: sent again with it, it is the same photo */
  send(
    file: F,
    options: { readonly key: string; onSent(bytes: number): void; readonly signal: AbortSignal }
  ): Promise<Sent>
  /** @returns those of them that are back @throws when the node does not answer */
  restore(photoIds: readonly string[]): Promise<readonly string[]>
  /** @returns when so much time has passed, or the signal is aborted */
  wait(ms: number, signal: AbortSignal): Promise<void>
  /** @returns what no other upload has */
  newKey(): string
  onChange(): void
}

export const EXISTS_MAX = 500
/** A browser has six connections to a node: pictures, lists and events need some. */
const SENDS_AT_ONCE = 3
/** The next wait is twice as long, up to this. */
const WAIT_MS_MIN = 1_000
const WAIT_MS_MAX = 60_000
/** So many are read ahead of those that are sent: reading takes the disk and the processor. */
const AHEAD_MAX = 200

/**
 * Names of photos and films; of others a node takes any file as well, but nobody would see it on the page. RAW files and HEIC are among
 * them, of which browsers know no type.
 */
const MEDIA =
  /\.(?:jpe?g|jpe|png|gif|webp|avif|hei[cf]|jxl|tiff?|bmp|svg|jp2|dng|cr[23w]|nef|nrw|arw|srf|sr2|raf|orf|rw2|pef|srw|x3f|3fr|iiq|raw|mp4|m4v|mov|avi|mkv|webm|3gp|mts|m2ts|mpe?g|wmv)$/i
/** Names that programs leave in folders. */
const JUNK = /^(?:\..*|Thumbs\.db|desktop\.ini|@eaDir|ehthumbs\.db|Icon\r|.*\.(?:part|crdownload|tmp))$/i

/**
 * Uploads files: reads each and makes its digest, asks the node in groups which it has, and sends the others, a few at a time. What
 * the node has no time for now is sent again later, under the same key; a node that does not answer at all is waited for.
 */
export class UploadQueue<F extends UploadFile> {
  readonly #ports: UploadPorts<F>
  readonly #items = new Map<number, UploadItem<F>>()
  readonly #keys = new Map<number, string>()
  /** Those of which the node has said that it lacks them. */
  readonly #isAsked = new Set<number>()
  /** The same, in the order in which they are sent. */
  readonly #ready: number[] = []
  #nextId = 1
  #isPaused = false
  #isReading = false
  #isAsking = false
  #sending = 0
  #abort = new AbortController()

  constructor(ports: UploadPorts<F>) {
    this.#ports = ports
  }

  get items(): readonly UploadItem<F>[] {
    return [...this.#items.values()]
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Whether there is something left to do. */
  get isBusy(): boolean {
    return this.#some('waiting', 'hashing', 'checking', 'sending')
  }

  /** When all that was added before is finished it is forgotten: what is told is this round alone. */
  add(files: readonly F[]): void {
    if (!this.isBusy) this.#forgetFinished()
    for (const file of files) {
      const id = this.#nextId++
      const error = refusal(file)
      const item = { id, file, sent: 0, sha256: undefined, photoId: undefined, error }
      this.#items.set(id, { ...item, state: error === undefined ? 'waiting' : 'failed' })
    }
    this.#changed()
  }

  /** What is being sent is broken off, and sent again later. */
  pause(): void {
    this.#isPaused = true
    this.#abort.abort()
    this.#changed()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#abort = new AbortController()
    this.#changed()
  }

  retry(): void {
    for (const item of this.#items.values())
      if (item.state === 'failed' && item.error?.isPassing === true)
        this.#set(item.id, { state: item.sha256 === undefined ? 'waiting' : 'checking', error: undefined, sent: 0 })
    this.#changed()
  }

  /** Takes out of the trash what was found there. @throws when the node does not answer */
  async restore(): Promise<void> {
    const ids = this.items.flatMap(it => (it.state === 'trashed' && it.photoId !== undefined ? [it.photoId] : []))
    const restored = new Set(await this.#ports.restore([...new Set(ids)]))
    for (const { id, state, photoId } of this.items)
      if (state === 'trashed' && photoId !== undefined && restored.has(photoId)) this.#set(id, { state: 'restored' })
    this.#changed()
  }

  /** Forgets all that is finished. */
  clear(): void {
    this.#forgetFinished()
    this.#changed()
  }

  #forgetFinished(): void {
    for (const { id, state } of this.items)
      if (FINISHED.has(state)) {
        this.#items.delete(id)
        this.#keys.delete(id)
      }
  }

  #changed(): void {
    this.#ports.onChange()
    if (this.#isPaused) return
    this.#readNext()
    this.#ask()
    this.#sendNext()
  }

  #readNext(): void {
    if (this.#isReading || this.#count('checking') + this.#count('sending') >= AHEAD_MAX) return
    const item = this.#first('waiting')
    if (item === undefined) return
    const { signal } = this.#abort
    this.#isReading = true
    this.#set(item.id, { state: 'hashing' })
    void this.#ports
      .hash(item.file, signal)
      .then(
        sha256 => this.#set(item.id, { state: 'checking', sha256 }),
        () => {
          if (signal.aborted) this.#set(item.id, { state: 'waiting' })
          else this.#fail(item.id, { code: 'unreadable', detail: '', isPassing: true })
        }
      )
      .then(() => {
        this.#isReading = false
        this.#changed()
      })
  }

  /** Asks when a group is full, or when there is nothing else to do: then the first are sent while others are read. */
  #ask(): void {
    const unknown = this.items.filter(it => it.state === 'checking' && !this.#isAsked.has(it.id))
    const isDue = unknown.length >= EXISTS_MAX || this.#sending + this.#ready.length < SENDS_AT_ONCE || !this.#isReading
    if (this.#isAsking || unknown.length === 0 || !isDue) return
    const group = unknown.slice(0, EXISTS_MAX)
    const { signal } = this.#abort
    this.#isAsking = true
    void this.#answers(
      group.map(it => it.sha256 as string),
      signal
    ).then(present => {
      this.#isAsking = false
      if (present !== undefined) for (const item of group) this.#answered(item, present.get(item.sha256 as string))
      this.#changed()
    })
  }

  /** @returns undefined when it was paused meanwhile */
  async #answers(digests: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Present> | undefined> {
    for (let waitMs = WAIT_MS_MIN; !signal.aborted; waitMs = Math.min(2 * waitMs, WAIT_MS_MAX)) {
      try {
        return await this.#ports.exists(digests)
      } catch {
        await this.#ports.wait(waitMs, signal)
      }
    }
    return undefined
  }

  #answered({ id }: UploadItem<F>, present: Present | undefined): void {
    if (present !== undefined)
      this.#set(id, { state: present.state === 'live' ? 'there' : 'trashed', photoId: present.photoId })
    else {
      this.#isAsked.add(id)
      this.#ready.push(id)
    }
  }

  #sendNext(): void {
    while (this.#sending < SENDS_AT_ONCE) {
      const id = this.#ready.shift()
      if (id === undefined) return
      const item = this.#items.get(id) as UploadItem<F>
      const same = this.items.find(
        it => it.sha256 === item.sha256 && it.id !== id && (it.state === 'sending' || it.state === 'done')
      )
      if (same?.state === 'done') this.#set(id, { state: 'there', photoId: same.photoId })
      else if (same !== undefined) {
        // the same bytes are on their way: ask again when they are there
        this.#isAsked.delete(id)
        if (this.#ready.length === 0) return
      } else {
        this.#sending++
        this.#set(id, { state: 'sending', sent: 0 })
        void this.#send(item).then(() => {
          this.#sending--
          this.#isAsked.delete(id)
          this.#changed()
        })
      }
    }
  }

  async #send({ id, file }: UploadItem<F>): Promise<void> {
    const { signal } = this.#abort
    const key = this.#keys.get(id) ?? this.#ports.newKey()
    this.#keys.set(id, key)
    for (let waitMs = WAIT_MS_MIN; !signal.aborted; waitMs = Math.min(2 * waitMs, WAIT_MS_MAX)) {
      const onSent = (sent: number): void => {
        this.#set(id, { sent })
        this.#ports.onChange()
      }
      const sent = await this.#ports.send(file, { key, onSent, signal })
      if (signal.aborted && !('photoId' in sent)) break
      if ('photoId' in sent) {
        this.#set(id, { state: 'done', photoId: sent.photoId, sent: file.size })
        return
      }
      const { error, status, retryAfterS } = sent
      if (!isPassing(status)) {
        this.#fail(id, error)
        return
      }
      this.#set(id, { sent: 0 })
      this.#ports.onChange()
      await this.#ports.wait(Math.max(waitMs, (retryAfterS ?? 0) * 1_000), signal)
    }
    this.#set(id, { state: 'checking', sent: 0 })
  }

  #fail(id: number, error: UploadError): void {
    this.#set(id, { state: 'failed', error, sent: 0 })
  }

  #set(id: number, change: Partial<UploadItem<F>>): void {
    const item = this.#items.get(id)
    if (item !== undefined) this.#items.set(id, { ...item, ...change })
  }

  #first(state: UploadState): UploadItem<F> | undefined {
    for (const item of this.#items.values()) if (item.state === state) return item
    return undefined
  }

  #count(state: UploadState): number {
    let count = 0
    for (const item of this.#items.values()) if (item.state === state) count++
    return count
  }

  #some(...states: readonly UploadState[]): boolean {
    return states.some(state => this.#first(state) !== undefined)
  }
}

/** Overloaded, logged out, or no answer at all: the same request can succeed later. 503 of a node without a disk as well. */
function isPassing(status: number): boolean {
  return (
    status === 0 ||
    status === 401 ||
    status === 408 ||
    status === 429 ||
    status === 502 ||
    status === 503 ||
    status === 504
  )
}

function refusal({ name, size }: UploadFile): UploadError | undefined {
  if (JUNK.test(name)) return { code: 'junk', detail: '', isPassing: false }
  if (!MEDIA.test(name)) return { code: 'noMedia', detail: '', isPassing: false }
  if (size === 0) return { code: 'empty', detail: '', isPassing: false }
  return undefined
}
