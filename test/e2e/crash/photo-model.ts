import type { PhotoMeta } from '../../support/http-client.js'
import { fakeJpeg, sha256Hex } from '../../support/photo-maker.js'
import { HistoryError, PhotoHistory, type PhotoState, shown } from './photo-history.js'

/** An upload that a client tries: everything about it can be made again from `seed`. */
export interface Birth {
  /** Unique among all uploads of a test. */
  readonly name: string
  readonly seed: number
  readonly byteCount: number
  readonly sha256: string
  readonly idempotencyKey: string | undefined
}

export interface KnownPhoto extends Birth {
  readonly id: string
  readonly history: PhotoHistory
}

const BORN: PhotoState = { deleted: false, caption: '', tags: [] }

/** What clients know about a node's photos, and what may be there although no client was told. */
export class PhotoModel {
  readonly photos = new Map<string, KnownPhoto>()
  /** Uploads without an answer, by name: their photo is wholly there or not at all. */
  readonly unanswered = new Map<string, Birth>()
  /** Whether compaction may have taken the bytes of deleted photos. */
  bytesMayGo = false

  /** An upload was acknowledged under this id. @throws {@link HistoryError} when another upload has it already */
  acknowledge(birth: Birth, id: string): KnownPhoto {
    if (this.photos.has(id)) throw new HistoryError(`two uploads got the id ${id}`)
    const photo = { ...birth, id, history: new PhotoHistory(BORN, () => this.bytesMayGo) }
    this.photos.set(id, photo)
    this.unanswered.delete(birth.name)
    return photo
  }

  /** The process died. */
  crash(): void {
    for (const { history } of this.photos.values()) history.crash()
  }

  /**
   * Compares a complete list of live photos, taken while nothing else went on, with what may be there.
   *
   * @returns the births that turned out to have happened
   * @throws {@link HistoryError} on a photo lost, come back, changed, doubled or from nowhere
   */
  compare(live: readonly PhotoMeta[]): KnownPhoto[] {
    const listed = new Map(live.map(meta => [meta.photo_id, meta]))
    if (listed.size !== live.length) throw new HistoryError('an id is listed twice')
    const adopted = live.filter(({ photo_id }) => !this.photos.has(photo_id)).map(meta => this.#adopt(meta))
    for (const [id, { history, ...birth }] of this.photos) {
      const meta = listed.get(id)
      try {
        history.observe({ kind: 'look' }, meta === undefined ? 'gone' : shown(meta.caption ?? '', meta.tags))
      } catch (err) {
        throw new HistoryError(`photo ${id} (${birth.name}): ${String(err)}`)
      }
      if (meta !== undefined) checkBirth(meta, birth)
    }
    return adopted
  }

  #adopt(meta: PhotoMeta): KnownPhoto {
    const birth = this.unanswered.get(meta.name)
    if (birth === undefined) throw new HistoryError(`photo ${meta.photo_id} (${meta.name}) comes from nowhere`)
    return this.acknowledge(birth, meta.photo_id)
  }
}

/** @returns the bytes of an upload; a hash of them is its birth's `sha256` */
export function bytesOf(birth: Pick<Birth, 'seed' | 'byteCount'>): Buffer {
  return fakeJpeg(birth.seed, birth.byteCount)
}

export function makeBirth(name: string, seed: number, byteCount: number, idempotencyKey: string | undefined): Birth {
  return { name, seed, byteCount, idempotencyKey, sha256: sha256Hex(bytesOf({ seed, byteCount })) }
}

function checkBirth(meta: PhotoMeta, birth: Birth): void {
  if (meta.name === birth.name && meta.size === birth.byteCount && meta.sha256 === birth.sha256) return
  throw new HistoryError(`photo ${meta.photo_id} is not what was uploaded: ${JSON.stringify({ meta, birth })}`)
}
