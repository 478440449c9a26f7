import {
  type Answer,
  type HttpClient,
  NoAnswer,
  type PhotoMeta,
  UnexpectedAnswer,
  type UploadReceipt
} from '../../support/http-client.js'
import { photoByteCount, type SeededRandom, sha256Hex } from '../../support/photo-maker.js'
import { type Action, HistoryError, shown, type Verdict } from './photo-history.js'
import { bytesOf, type KnownPhoto, makeBirth, type PhotoModel } from './photo-model.js'

export interface WorkloadInit {
  readonly clientCount: number
  /** Greatest size of a photo, in bytes; one in twenty has it. */
  readonly photoBytesMax: number
  /** Above it clients delete more than they upload. */
  readonly livePhotosMax: number
  /** Whether the node may say at times that its directory is not there (503), with or without having written to its log. */
  readonly mayBeUnavailable?: boolean
}

/** How many operations ended how. */
export interface Tally {
  ok: number
  /** Refused by the node, or never seen by it: certainly without effect. */
  failed: number
  /** Without an answer: maybe applied. */
  indeterminate: number
}

/** Clients that upload, edit, tag, delete, undelete and read until they are stopped; each answer is checked at once. */
export class Workload {
  readonly tally: Tally = { ok: 0, failed: 0, indeterminate: 0 }
  readonly #client: HttpClient
  readonly #model: PhotoModel
  readonly #random: SeededRandom
  readonly #init: WorkloadInit
  /** Photos that this run may touch; the newest come last. */
  readonly #ids: string[]
  /** Tells the names of this run's photos from those of earlier ones. */
  readonly #label: string
  #stopping = false
  #birthCount = 0

  constructor(client: HttpClient, model: PhotoModel, random: SeededRandom, label: string, init: WorkloadInit) {
    this.#client = client
    this.#model = model
    this.#random = random
    this.#label = label
    this.#init = init
    this.#ids = [...model.photos.keys()]
  }

  /** @returns once all clients have ended. @throws the first violation that one of them saw */
  async run(): Promise<void> {
    const clients = Array.from({ length: this.#init.clientCount }, (_, index) =>
      this.#runClient(this.#random.fork(index))
    )
    await Promise.all(clients)
  }

  get stopping(): boolean {
    return this.#stopping
  }

  /** Lets each client finish its operation and begin no other. */
  stop(): void {
    this.#stopping = true
  }

  async #runClient(random: SeededRandom): Promise<void> {
    try {
      while (!this.#stopping) await this.#step(random)
    } catch (err) {
      this.#stopping = true
      throw err
    }
  }

  #step(random: SeededRandom): Promise<void> {
    const crowded = this.#ids.length > this.#init.livePhotosMax
    const draw = random.fraction()
    const photo = this.#choose(random)
    if (photo === undefined || draw < (crowded ? 0.1 : 0.35)) return this.#upload(random)
    const unique = `${this.#label}-${random.below(2 ** 32).toString(36)}`
    if (draw < 0.47) return this.#act(photo, { kind: 'edit', caption: `caption ${unique}` })
    if (draw < 0.57) return this.#tag(photo, unique, random)
    if (draw < (crowded ? 0.75 : 0.67)) return this.#act(photo, { kind: 'delete' })
    if (draw < 0.8) return this.#act(photo, { kind: 'undelete' })
    return this.#act(photo, { kind: random.chance(0.6) ? 'fetch' : 'look' })
  }

  /**
   * Half of the time one of the newest few, so that clients meet on the same photo.
   *
   * @returns undefined when there is none to act on
   */
  #choose(random: SeededRandom): KnownPhoto | undefined {
    for (let attempt = 0; attempt < 10 && this.#ids.length > 0; attempt++) {
      const newest = random.chance(0.5) ? this.#ids.slice(-6) : this.#ids
      const photo = this.#model.photos.get(random.pick(newest))
      if (photo === undefined) throw new HistoryError('a photo is missing from the model')
      // Many operations without an answer on one photo would only make judging slow.
      if (photo.history.operationsOut < 4) return photo
    }
    return undefined
  }

  #tag(photo: KnownPhoto, unique: string, random: SeededRandom): Promise<void> {
    const common = ['red', 'green', 'blue']
    const add = [random.chance(0.5) ? random.pick(common) : unique]
    const remove = random.chance(0.4) ? [random.pick(common.filter(tag => !add.includes(tag)))] : []
    return this.#act(photo, { kind: 'tag', add, remove })
  }

  async #upload(random: SeededRandom): Promise<void> {
    const name = `${this.#label}-${this.#birthCount++}.jpg`
    const byteCount = photoByteCount(random, this.#init.photoBytesMax)
    const birth = makeBirth(name, random.below(2 ** 32), byteCount, random.chance(0.5) ? `key ${name}` : undefined)
    this.#model.unanswered.set(name, birth)
    const answer = await this.#ask(() => uploadBirth(this.#client, birth))
    if (answer === 'indeterminate') return
    if (answer === 'failed') {
      this.#model.unanswered.delete(name)
      return
    }
    const { photo_id } = acceptReceipt(answer, birth)
    this.#model.acknowledge(birth, photo_id)
    this.#ids.push(photo_id)
  }

  async #act(photo: KnownPhoto, action: Action): Promise<void> {
    const operation = photo.history.begin(action)
    const answer = await this.#ask(() => send(this.#client, photo.id, action))
    if (answer === 'indeterminate') return
    if (answer === 'failed') return photo.history.refuse(operation)
    try {
      photo.history.end(operation, judge(action, photo, answer))
    } catch (err) {
      throw err instanceof HistoryError ? new HistoryError(`photo ${photo.id} (${photo.name}): ${err.message}`) : err
    }
  }

  /** @returns how an operation ended that the node could not carry out; undefined when it did */
  #unavailable({ status, body }: Answer): 'failed' | 'indeterminate' | undefined {
    if (status !== 503) return undefined
    if (body.includes('ERR_STOPPING')) return 'failed'
    // An upload in chunks that a rebuild falls into must begin anew under the new epoch: it is refused as a failed write.
    const expected =
      this.#init.mayBeUnavailable === true && /ERR_DIRECTORY_UNAVAILABLE|ERR_DISK_WRITE/.test(String(body))
    return expected ? 'indeterminate' : undefined
  }

  async #ask(send: () => Promise<Answer>): Promise<Answer | 'failed' | 'indeterminate'> {
    try {
      const answer = await send()
      const outcome = this.#unavailable(answer)
      this.tally[outcome ?? 'ok']++
      return outcome ?? answer
    } catch (err) {
      if (!(err instanceof NoAnswer)) throw err
      const outcome = err.maybeApplied ? 'indeterminate' : 'failed'
      this.tally[outcome]++
      return outcome
    }
  }
}

/** Sends an upload, as a form when it has a key, else as a raw body. @throws `NoAnswer` */
export function uploadBirth(client: HttpClient, birth: Parameters<typeof acceptReceipt>[1]): Promise<Answer> {
  const file = bytesOf(birth)
  if (birth.idempotencyKey === undefined) return client.put(file, { filename: birth.name, contentType: 'image/jpeg' })
  const part = { name: 'file', value: file, filename: birth.name, contentType: 'image/jpeg' }
  return client.form('/upload', [part], { 'idempotency-key': birth.idempotencyKey })
}

/** @throws when the answer is not an acknowledgement of exactly this upload */
export function acceptReceipt(answer: Answer, birth: ReturnType<typeof makeBirth>): UploadReceipt {
  if (answer.status !== 200 && answer.status !== 201) throw new UnexpectedAnswer(`upload of ${birth.name}`, answer)
  const receipt = JSON.parse(answer.body.toString()) as UploadReceipt
  if (receipt.sha256 === birth.sha256 && receipt.size === birth.byteCount) return receipt
  throw new HistoryError(`the receipt is not for ${birth.name}: ${JSON.stringify({ receipt, birth })}`)
}

function send(client: HttpClient, id: string, action: Action): Promise<Answer> {
  switch (action.kind) {
    case 'edit':
      return client.patchMeta(id, { caption: action.caption })
    case 'tag':
      return client.patchMeta(id, { tags: { add: action.add, remove: action.remove } })
    case 'delete':
      return client.remove(id)
    case 'undelete':
      return client.undelete(id)
    case 'look':
      return client.meta(id)
    case 'fetch':
      return client.photo(id)
  }
}

/** @returns the answer in the checker's words. @throws on an answer that is never right, e.g. wrong bytes or a 500 */
function judge(action: Action, photo: KnownPhoto, answer: Answer): Verdict {
  if (answer.status === 410) {
    const { code } = JSON.parse(answer.body.toString()) as { code: string }
    if (code === 'ERR_PHOTO_DELETED') return 'gone'
    if (code === 'ERR_BYTES_GONE') return 'bytes gone'
  }
  if (answer.status !== 200) throw new UnexpectedAnswer(`${action.kind} of ${photo.id}`, answer)
  if (action.kind === 'look') {
    const meta = JSON.parse(answer.body.toString()) as PhotoMeta
    return shown(meta.caption ?? '', meta.tags)
  }
  if (action.kind !== 'fetch') return 'done'
  if (sha256Hex(answer.body) !== photo.sha256) throw new HistoryError(`photo ${photo.id} was served with wrong bytes`)
  return 'live'
}
