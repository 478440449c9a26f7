import { SheafError } from '../../core/errors.js'

/** What a part of a form says about itself. */
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
 * @returns undefined without a Content-Disposition of form-data that has a name
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

/** Browsers write a quote as %22 (WHATWG HTML), others as \". A backslash before anything else is part of a Windows path. */
function unquote(text: string): string {
  return text.replace(/\\(["\\])/g, '$1').replace(/%22/g, '"')
}

/** RFC 8187, which some clients use although RFC 7578 says not to. @returns undefined when it is not there or malformed */
function extendedValue(text: string | undefined): string | undefined {
  const encoded = /^utf-8'[^']*'(.*)$/i.exec(text ?? '')?.[1]
  if (encoded === undefined) return undefined
  try {
    return decodeURIComponent(encoded)
  } catch {
    return undefined // the plain filename beside it counts
  }
}

function utf8(binary: string): string {
  return Buffer.from(binary, 'latin1').toString()
}
