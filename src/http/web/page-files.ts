import { hash } from 'node:crypto'
import { acceptsCoding } from '../wire/codings.js'

/** Best first: what a page is packed with when it is built. */
const CODINGS = ['br', 'gzip'] as const
type Coding = (typeof CODINGS)[number] | 'identity'
const ENDINGS: Readonly<Record<Coding, string>> = { br: '.br', gzip: '.gz', identity: '' }

/** The list that `npm run build` writes of what it has made. */
const LIST = 'page/files.json'
const FILES_MAX = 100
const NAME = /^[\w-]+(?:\.[\w-]+)*\.(html|js|css|svg|webmanifest)$/
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  webmanifest: 'application/manifest+json'
}

/** @returns the bytes of a built file; undefined: it is not there */
export type ReadWebFile = (path: string) => Promise<Uint8Array | undefined>

/** A file as it is sent. */
export interface CodedFile {
  readonly type: string
  readonly coding: Coding
  readonly bytes: Buffer
  /** Strong, so another one for each coding. */
  readonly etag: string
}

/** The files of the page, in memory: some hundred KB. No path of a request reaches the disk. */
export class PageFiles {
  readonly #files: ReadonlyMap<string, readonly CodedFile[]>

  private constructor(files: ReadonlyMap<string, readonly CodedFile[]>) {
    this.#files = files
  }

  /** @returns undefined when the page, or a part of it, was not built */
  static async read(read: ReadWebFile): Promise<PageFiles | undefined> {
    const list = await read(LIST)
    if (list === undefined) return undefined
    const names: unknown = JSON.parse(Buffer.from(list).toString())
    if (!Array.isArray(names) || names.length > FILES_MAX) return undefined
    const files = new Map<string, readonly CodedFile[]>()
    for (const name of names) {
      const ending = NAME.exec(String(name))?.[1]
      if (ending === undefined) return undefined
      const codings = await codingsOf(String(name), TYPES[ending] as string, read)
      if (codings.at(-1)?.coding !== 'identity') return undefined
      files.set(String(name), codings)
    }
    return files.has('index.html') ? new PageFiles(files) : undefined
  }

  /** @param accepted - the Accept-Encoding header @returns undefined: there is no such file */
  find(name: string, accepted: string = ''): CodedFile | undefined {
    return this.#files.get(name)?.find(({ coding }) => coding === 'identity' || acceptsCoding(accepted, coding))
  }
}

async function codingsOf(name: string, type: string, read: ReadWebFile): Promise<CodedFile[]> {
  const files: CodedFile[] = []
  for (const coding of [...CODINGS, 'identity'] as const) {
    const bytes = await read(`page/${name}${ENDINGS[coding]}`)
    if (bytes === undefined) continue
    const etag = `"${hash('sha256', bytes, 'hex').slice(0, 32)}"`
    files.push({ type, coding, bytes: Buffer.from(bytes), etag })
  }
  return files
}
