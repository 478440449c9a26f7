import type { Call, LineOf, Upload } from './history.js'

/** A photo that a client was told of. */
export interface KnownPhoto extends Upload {
  readonly photo: string
  /** Who uploaded it, where there are accounts. */
  readonly as?: string
  /** Asked for so far, with whatever outcome. */
  edits: number
  /** What its last delete or undelete was, as far as clients know. */
  isDeleted: boolean
  /** Given to it, and not taken away. */
  tags: readonly string[]
}

/** An album that a client was told of. */
export interface KnownAlbum {
  readonly album: string
  readonly owner: string
}

/** What the clients of a run know; they share it, wherever they ask. */
export class KnownPhotos {
  readonly #photos = new Map<string, KnownPhoto>()
  readonly #live: KnownPhoto[] = []
  readonly #deleted: KnownPhoto[] = []
  readonly #albums: KnownAlbum[] = []

  /** The newest last. */
  get live(): readonly KnownPhoto[] {
    return this.#live
  }

  get albums(): readonly KnownAlbum[] {
    return this.#albums
  }

  get deleted(): readonly KnownPhoto[] {
    return this.#deleted
  }

  /** A client is about to ask. */
  begin(call: Call): void {
    const photo = 'photo' in call ? this.#photos.get(call.photo) : undefined
    if (photo === undefined) return
    if (call.kind === 'edit') photo.edits++
    // from now on it may be deleted, so that no other client counts on it
    if (call.kind === 'delete') move(photo, this.#live, this.#deleted, true)
  }

  /** It was told how that ended. */
  end(call: Call, { outcome, told }: Pick<LineOf<'end'>, 'outcome' | 'told'>): void {
    if (call.kind === 'makeAlbum' && outcome === 'ok' && told?.album !== undefined && call.as !== undefined)
      this.#albums.push({ album: told.album, owner: call.as })
    if (call.kind === 'upload') {
      if (outcome !== 'ok' || told?.photo === undefined || this.#photos.has(told.photo)) return
      const { kind: _, ...upload } = call
      const photo = { ...upload, photo: told.photo, edits: 0, isDeleted: false, tags: [] }
      this.#photos.set(told.photo, photo)
      this.#live.push(photo)
      return
    }
    const photo = 'photo' in call ? this.#photos.get(call.photo) : undefined
    if (photo === undefined || outcome !== 'ok') return
    if (call.kind === 'undelete') move(photo, this.#deleted, this.#live, false)
    if (call.kind === 'edit') photo.tags = [...photo.tags.filter(tag => !call.removes.includes(tag)), ...call.adds]
  }
}

function move(photo: KnownPhoto, from: KnownPhoto[], to: KnownPhoto[], isDeleted: boolean): void {
  const i = from.indexOf(photo)
  if (i < 0) return
  from.splice(i, 1)
  to.push(photo)
  photo.isDeleted = isDeleted
}
