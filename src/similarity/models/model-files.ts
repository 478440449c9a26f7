import { createHash, hash } from 'node:crypto'
import { join } from 'node:path'
import { SheafError } from '../../core/errors.js'
import type { FileSystem } from '../../core/file-system.js'
import { identifyModel, MODEL_FORMAT, MODEL_SPEC_FILE, type ModelFile, type ModelSpec } from './model-spec.js'

const MODEL_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/
const FILE_NAME = /^[a-z0-9][a-z0-9._-]*$/
/** Bytes per read: hashing one piece of a large file blocks the event loop for less than a millisecond. */
const READ_BYTES = 256 * 1024

/** Names serve as folder names, and people type them. */
export function isModelName(name: string): boolean {
  return MODEL_NAME.test(name)
}

/** Writes one of a model's files. @returns its entry in the description */
export async function writeModelFile(
  fileSystem: Pick<FileSystem, 'writeFileAtomic'>,
  folder: string,
  name: string,
  bytes: Uint8Array
): Promise<ModelFile> {
  await fileSystem.writeFileAtomic(join(folder, name), bytes)
  return { name, sha256: hash('sha256', bytes), bytes: bytes.byteLength }
}

/** Writes `model.json`, which makes the folder a model. */
export async function writeModelSpec(fileSystem: FileSystem, folder: string, spec: ModelSpec): Promise<void> {
  await fileSystem.writeFileAtomic(join(folder, MODEL_SPEC_FILE), Buffer.from(`${JSON.stringify(spec, null, 2)}\n`))
}

/**
 * @returns the model in a folder; undefined: none
 * @throws `ERR_MODEL_INVALID` when its `model.json` is damaged; `ERR_FORMAT_TOO_NEW`
 */
export async function readModelSpec(fileSystem: FileSystem, folder: string): Promise<ModelSpec | undefined> {
  const path = join(folder, MODEL_SPEC_FILE)
  const bytes = await fileSystem.readFile(path)
  if (bytes === undefined) return undefined
  const spec = parseSpec(Buffer.from(bytes).toString())
  if (spec === undefined) throw new SheafError('ERR_MODEL_INVALID', `${path} is damaged; pull or add the model again`)
  if (spec.format > MODEL_FORMAT)
    throw new SheafError('ERR_FORMAT_TOO_NEW', `${path} was written by a newer version of Sheaf; upgrade this one`)
  return spec
}

/** The digest must match; it covers every field that is used. */
function parseSpec(text: string): ModelSpec | undefined {
  try {
    const spec = JSON.parse(text) as ModelSpec
    if (Number.isSafeInteger(spec.format) && spec.format > MODEL_FORMAT) return spec
    const names = spec.files.every(file => FILE_NAME.test(file.name)) && isModelName(spec.name)
    const { digest, id } = identifyModel(spec)
    return names && spec.format === MODEL_FORMAT && spec.digest === digest && spec.id === id ? spec : undefined
  } catch {
    return undefined // not JSON, or another structure
  }
}

/** @returns the names of files that are missing or have the wrong size */
export async function findWrongSizes(fileSystem: FileSystem, folder: string, spec: ModelSpec): Promise<string[]> {
  const wrong: string[] = []
  for (const { name, bytes } of spec.files) {
    if ((await sizeOf(fileSystem, join(folder, name))) !== bytes) wrong.push(name)
  }
  return wrong
}

/** @returns the names of files that are missing or damaged; reads every byte */
export async function findDamage(fileSystem: FileSystem, folder: string, spec: ModelSpec): Promise<string[]> {
  const wrong = await findWrongSizes(fileSystem, folder, spec)
  if (wrong.length > 0) return wrong
  for (const { name, sha256 } of spec.files) {
    if ((await fileDigest(fileSystem, join(folder, name), 'sha256')).toString('hex') !== sha256) wrong.push(name)
  }
  return wrong
}

/** Hashes a file in small pieces. */
export async function fileDigest(
  fileSystem: Pick<FileSystem, 'open'>,
  path: string,
  algorithm: 'sha256' | 'sha512',
  signal?: AbortSignal
): Promise<Buffer> {
  const digest = createHash(algorithm)
  const piece = Buffer.allocUnsafe(READ_BYTES)
  const file = await fileSystem.open(path, 'read')
  try {
    for (let position = 0; ; ) {
      signal?.throwIfAborted()
      const count = await file.read(piece, position)
      if (count === 0) return digest.digest()
      digest.update(piece.subarray(0, count))
      position += count
    }
  } finally {
    await file.close()
  }
}

/** @returns the file's size in bytes; undefined when it cannot be opened */
async function sizeOf(fileSystem: FileSystem, path: string): Promise<number | undefined> {
  const file = await fileSystem.open(path, 'read').catch(() => undefined) // unusable, whatever the reason
  if (file === undefined) return undefined
  try {
    return await file.size()
  } finally {
    await file.close()
  }
}
