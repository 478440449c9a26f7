import { SheafError } from '../core/errors.js'
import type { Directory } from '../directory/directory.js'
import type { UserId } from '../domain/ids.js'
import type { Usage } from '../domain/usage.js'
import type { Quota } from '../domain/user.js'

export interface QuotasComponents {
  readonly directory: Pick<Directory, 'usageOf'>
  readonly quotaOf: (owner: UserId) => Quota
}

/** Room for one upload that is under way. */
export interface Reservation {
  /**
   * Holds room for so many bytes of it, if it does not hold more already.
   *
   * @throws `ERR_QUOTA_EXCEEDED`
   */
  atLeast(bytes: number): void
  /** Call it once, when the index counts the photo, or there is none. */
  release(): void
}

/** Who holds uploads to what their owners may have. */
export type UploadQuotas = Pick<Quotas, 'reserve'>

export const UNBOUNDED: UploadQuotas = { reserve: () => ({ atLeast: () => {}, release: () => {} }) }

/**
 * How much somebody's photos take, which the index counts, and how much they may. Uploads under way are known to this node
 * alone: nodes that are cut off from each other may each admit what is left.
 */
export class Quotas {
  readonly #components: QuotasComponents
  readonly #reserved = new Map<UserId, Usage>()

  constructor(components: QuotasComponents) {
    this.#components = components
  }

  /**
   * @param bytes - how many the upload has at least
   * @throws `ERR_QUOTA_EXCEEDED`, `ERR_DIRECTORY_UNAVAILABLE`
   */
  reserve(owner: UserId | undefined, bytes: number): Reservation {
    if (owner === undefined) return UNBOUNDED.reserve(owner, bytes)
    let held = 0
    const hold = (more: number, photos: number): void => {
      this.#admit(owner, { bytes: more, photos })
      this.#add(owner, { bytes: more, photos })
      held += more
    }
    hold(bytes, 1)
    return {
      atLeast: wanted => {
        if (wanted > held) hold(wanted - held, 0)
      },
      release: () => this.#add(owner, { bytes: -held, photos: -1 })
    }
  }

  #admit(owner: UserId, more: Usage): void {
    const { quotaOf, directory } = this.#components
    const quota = quotaOf(owner)
    if (quota.bytes === undefined && quota.photos === undefined) return
    // while the index is made anew nobody knows, and nobody is refused
    const used = directory.usageOf(owner)
    if (used === undefined) return
    const held = this.#reserved.get(owner) ?? NOTHING
    const fits = (what: keyof Usage): boolean =>
      quota[what] === undefined || used[what] + held[what] + more[what] <= quota[what]
    if (!fits('bytes') || !fits('photos')) throw exceeded(used, quota)
  }

  #add(owner: UserId, { bytes, photos }: Usage): void {
    const held = this.#reserved.get(owner) ?? NOTHING
    const now = { bytes: held.bytes + bytes, photos: held.photos + photos }
    if (now.photos === 0) this.#reserved.delete(owner)
    else this.#reserved.set(owner, now)
  }
}

const NOTHING: Usage = { bytes: 0, photos: 0 }

function exceeded(used: Usage, quota: Quota): SheafError {
  const parts = (['bytes', 'photos'] as const).flatMap(what =>
    quota[what] === undefined ? [] : [`${used[what]} of ${quota[what]} ${what}`]
  )
  return new SheafError(
    'ERR_QUOTA_EXCEEDED',
    `the account uses ${parts.join(' and ')}, and this upload does not fit; delete photos and empty the trash, or ask an administrator for more`,
    {
      details: {
        used_bytes: used.bytes,
        used_photos: used.photos,
        quota_bytes: quota.bytes ?? null,
        quota_photos: quota.photos ?? null
      }
    }
  )
}
