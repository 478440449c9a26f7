import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { Random } from '../core/random.js'
import type { Directory } from '../directory/directory.js'
import {
  API_KEY_KIND,
  API_KEY_SECRET_BYTES,
  type ApiKey,
  apiKeyDigest,
  createApiKeyChanges,
  deleteApiKeyChanges,
  formatApiKey,
  viewApiKey
} from '../domain/api-key.js'
import { type ApiKeyId, newPhotoId, type UserId } from '../domain/ids.js'
import { API_KEYS_MAX } from '../domain/limits.js'
import { TIME_MS_MAX } from '../domain/value-fields.js'
import type { RecordWriter } from '../store/record-writer.js'
import { badField, checkScopes, labelOf } from './account-rules.js'
import type { OwnedRecords } from './owned-records.js'

export interface ApiKeysComponents {
  readonly directory: Pick<Directory, 'lookUp'>
  readonly writer: Pick<RecordWriter, 'write' | 'admit'>
  readonly owned: OwnedRecords
  readonly clock: Clock
  readonly random: Random
}

export interface ApiKeyWish {
  readonly scopes: readonly string[]
  readonly label?: string | undefined
  /** Undefined: until it is deleted. */
  readonly untilMs?: number | undefined
}

/** A key without what proves it. */
export type ListedApiKey = Omit<ApiKey, 'sha256' | 'isDeleted'>

/** Keys of programs: each acts for an account, within scopes. */
export class ApiKeys {
  readonly #components: ApiKeysComponents
  readonly #lock = new KeyedLock()

  constructor(components: ApiKeysComponents) {
    this.#components = components
  }

  /**
   * @returns the key, and its text, which is nowhere else
   * @throws `ERR_BAD_PARAMETER`, `ERR_TOO_MANY_API_KEYS`, what the store throws
   */
  async create(userId: UserId, wish: ApiKeyWish): Promise<{ readonly key: ListedApiKey; readonly text: string }> {
    const { clock, random, writer } = this.#components
    const scopes = checkScopes(wish.scopes)
    const { untilMs } = wish
    if (untilMs !== undefined && !(Number.isSafeInteger(untilMs) && untilMs > clock.now() && untilMs <= TIME_MS_MAX))
      throw badField('expires_at', 'an API key ends in the future')
    writer.admit()
    return this.#lock.run(userId, async () => {
      if (this.list(userId).length >= API_KEYS_MAX) throw new SheafError('ERR_TOO_MANY_API_KEYS')
      const id = newPhotoId(clock, random) as string as ApiKeyId
      const secret = random.bytes(API_KEY_SECRET_BYTES)
      const label = labelOf(wish.label)
      const key = { userId, sha256: apiKeyDigest(secret), scopes, label, createdAtMs: clock.now(), untilMs }
      const record = await writer.write({ kind: API_KEY_KIND, id }, () => createApiKeyChanges(key))
      return { key: listed(viewApiKey(record) as ApiKey), text: formatApiKey({ id, secret }) }
    })
  }

  /** Those of an account, the latest first; such as have ended as well. */
  list(userId: UserId): ListedApiKey[] {
    return this.#components.owned
      .of(userId)
      .flatMap(id => this.#view(id as ApiKeyId) ?? [])
      .map(listed)
      .sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
  }

  /** Deleting again is harmless. @throws `ERR_API_KEY_NOT_FOUND`, what the store throws */
  async remove(userId: UserId, id: ApiKeyId): Promise<void> {
    if (this.#view(id)?.userId !== userId)
      throw new SheafError('ERR_API_KEY_NOT_FOUND', undefined, { details: { key_id: id } })
    await this.#components.writer.write({ kind: API_KEY_KIND, id }, before =>
      before === undefined ? [] : deleteApiKeyChanges(before)
    )
  }

  #view(id: ApiKeyId): ApiKey | undefined {
    const record = this.#components.directory.lookUp({ kind: API_KEY_KIND, id }).stored?.record
    return record && viewApiKey(record)
  }
}

function listed({ sha256: _, isDeleted: __, ...key }: ApiKey): ListedApiKey {
  return key
}
