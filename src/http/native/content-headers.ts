import type { ContentHead } from '../../photos/photo-types.js'

/** Types that a browser would execute in this node's origin: markup, scripts, style transformations, mail with markup. */
const ACTIVE_TYPE = /html|xml|svg|script|xsl|^multipart\/|^message\/|shockwave|wasm/
/** Anything else could break the header. */
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:\s*;[\x20-\x7e]*)?$/

/** Fewer digits could be those of other bytes. */
const VERSION_DIGITS_MIN = 8
const REVALIDATED = 'private, no-cache'
const LASTING = 'private, max-age=31536000, immutable'

/**
 * Headers for a photo's bytes, as a flat array for `writeHead`, without Content-Length.
 *
 * Cache-Control is `private, no-cache`: a browser may cache the bytes but must revalidate. They never change, so it gets a
 * 304 of 200 bytes; but a photo may be deleted, and must then not stay visible until a max-age ends. A client that names the
 * bytes of a size takes that upon itself: it may keep them, and asks no more.
 *
 * @param version - the bytes that the client expects: how their SHA-256 begins, as lower-case hex. Others count as none
 */
export function contentHeaders(head: ContentHead, source: 'local' | 'peer' | 'cache', version?: string): string[] {
  const type = MEDIA_TYPE.test(head.contentType) ? head.contentType : 'application/octet-stream'
  const active = ACTIVE_TYPE.test(type.toLowerCase())
  const headers = [
    'Content-Type',
    type,
    'ETag',
    head.etag,
    'Last-Modified',
    new Date(head.lastModifiedMs).toUTCString(),
    'Accept-Ranges',
    'bytes',
    'Cache-Control',
    isLasting(head, version) ? LASTING : REVALIDATED,
    'Content-Disposition',
    contentDisposition(active ? 'attachment' : 'inline', head.name),
    'X-Content-Type-Options',
    'nosniff',
    // over plain HTTP by a name, browsers do not say that another site's page asks: they have to refuse it themselves
    'Cross-Origin-Resource-Policy',
    'same-origin',
    'X-Sheaf-Source',
    source
  ]
  if (active) headers.push('Content-Security-Policy', "sandbox; default-src 'none'")
  return headers
}

function isLasting({ alt, etag }: ContentHead, version = ''): boolean {
  return alt !== 'orig' && version.length >= VERSION_DIGITS_MIN && etag.slice(1, -1).startsWith(version)
}

/** RFC 6266: the name in RFC 8187 form, and an ASCII fallback for old clients where they differ. */
export function contentDisposition(disposition: 'inline' | 'attachment', name: string): string {
  const clean = name.replace(/\p{Cc}/gu, '').replace(/\p{Surrogate}/gu, '\ufffd')
  if (clean === '') return disposition
  const ascii = clean.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  if (ascii === clean) return `${disposition}; filename="${clean}"`
  return `${disposition}; filename="${ascii}"; filename*=UTF-8''${encodeExtended(clean)}`
}

/** RFC 8187 attr-char: encodeURIComponent does not escape all that must be escaped here. */
function encodeExtended(text: string): string {
  return encodeURIComponent(text).replace(
    /['()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  )
}
