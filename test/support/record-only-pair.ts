import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { HttpClient, type UploadReceipt } from './http-client.js'
import { NodeProcess } from './node-process.js'
import { until } from './until.js'

/** Two real nodes: what lies in the first one's volume the second knows by its records alone. */
export interface RecordOnlyPair {
  readonly holder: NodeProcess
  readonly reader: NodeProcess
  /** Ids in the order of `photos`. */
  readonly ids: readonly string[]
}

/**
 * A folder stands where the reader would put its copy of the volume, so it can never begin one.
 *
 * @param scratch - an empty folder
 * @param flags - of the reader
 */
export async function recordOnlyPair(
  scratch: string,
  photos: readonly { readonly bytes: Uint8Array; readonly name: string }[],
  flags: readonly string[] = []
): Promise<RecordOnlyPair> {
  const reader = await NodeProcess.start({ dataDir: join(scratch, 'reader'), flags, logLevel: 'silent' })
  const first = await NodeProcess.start({ dataDir: join(scratch, 'holder'), logLevel: 'silent' })
  const client = new HttpClient(first.url)
  const receipts: UploadReceipt[] = []
  for (const { bytes, name } of photos) receipts.push(await client.putPhoto(bytes, name))
  client.close()
  for (const volume of new Set(receipts.map(receipt => receipt.logical_volume)))
    mkdirSync(join(scratch, 'reader', 'volumes', `${volume}.volume`), { recursive: true })
  const holder = await first.restart({ flags: ['--join', reader.p2p] })
  const readerClient = new HttpClient(reader.url)
  const ids = receipts.map(({ photo_id }) => photo_id)
  await until(
    'the reader has all records',
    90_000,
    async () => (await readerClient.page('?limit=1')).total === ids.length
  )
  readerClient.close()
  return { holder, reader, ids }
}
