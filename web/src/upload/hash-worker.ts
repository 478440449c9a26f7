/// <reference lib="webworker" />
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { HashAnswer, HashRequest } from './hash-messages.js'

/** What is read of a file at once, bytes. */
const PIECE_BYTES = 4 * 2 ** 20
/** The browser's own digest is ten times as fast, but wants all bytes at once, and a page that came by HTTPS or from here. */
const WHOLE_BYTES_MAX = 256 * 2 ** 20

const scope = self as unknown as DedicatedWorkerGlobalScope

scope.addEventListener('message', ({ data }: MessageEvent<HashRequest>) => {
  void digestOf(data.file).then(
    hex => answer({ id: data.id, hex }),
    () => answer({ id: data.id })
  )
})

function answer(message: HashAnswer): void {
  scope.postMessage(message)
}

async function digestOf(file: Blob): Promise<string> {
  // undefined where the page came by plain HTTP from another machine, whatever its type says
  const subtle = crypto.subtle as SubtleCrypto | undefined
  if (subtle !== undefined && file.size <= WHOLE_BYTES_MAX)
    return bytesToHex(new Uint8Array(await subtle.digest('SHA-256', await file.arrayBuffer())))
  const digest = sha256.create()
  for (let at = 0; at < file.size; at += PIECE_BYTES)
    digest.update(new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer()))
  return bytesToHex(digest.digest())
}
