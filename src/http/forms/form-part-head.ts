import { SheafError } from '../../core/errors.js'

/** The headers of a form part, parsed. */
export interface FormPartHead {
  readonly name: string
  readonly filename: string | undefined
  readonly contentType: string | undefined
}

/** RFC 2046 allows 70 characters. */
const BOUNDARY = /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)/i
const PARAMETER = /;\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g

/** @throws `ERR_NOT_MULTIPART` */
export function parseBoundary(contentType: string | undefined): string {
  const match = BOUNDARY.exec(contentType ?? '')
  const boundary = match?.[1] ?? match?.[2]
  if (boundary === undefined) {
    throw new SheafError('ERR_NOT_MULTIPART', 'Content-Type must be multipart/form-data with a boundary')
  }
  return boundary
}

/**
 * @param headers - of the part, by lower-case name, one character per byte
 * @returns undefined unless Content-Disposition is form-data with a name
 */
export function parsePartHead(headers: ReadonlyMap<string, string>): FormPartHead | undefined {
  const disposition = utf8(headers.get('content-disposition') ?? '')
  if (!/^form-data\s*(;|$)/i.test(disposition)) return undefined
  const parameters = new Map<string, string>()
  for (const [, name = '', quoted, token = ''] of disposition.matchAll(PARAMETER)) {
    parameters.set(name.toLowerCase(), quoted === undefined ? token : unquote(quoted))
  }
  const name = parameters.get('name')
  if (name === undefined) return undefined
  const filename = extendedValue(parameters.get('filename*')) ?? parameters.get('filename')
  return { name, filename, contentType: headers.get('content-type') || undefined }
}

/** Browsers escape a quote as %22 (WHATWG HTML), others as \". Any other backslash belongs to a Windows path. */
function unquote(text: string): string {
  return text.replace(/\\(["\\])/g, '$1').replace(/%22/g, '"')
}

/** RFC 8187, which some clients use although RFC 7578 forbids it. @returns undefined when absent or malformed */
function extendedValue(text: string | undefined): string | undefined {
  const encoded = /^utf-8'[^']*'(.*)$/i.exec(text ?? '')?.[1]
  if (encoded === undefined) return undefined
  try {
    return decodeURIComponent(encoded)
  } catch {
    return undefined // fall back to the plain filename
  }
}

function utf8(binary: string): string {
  return Buffer.from(binary, 'latin1').toString()
}
