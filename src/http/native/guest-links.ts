import type { IncomingMessage } from 'node:http'
import type { OpenedLink } from '../../domain/audience.js'
import type { AlbumId } from '../../domain/ids.js'
import type { LinkPrincipal } from '../../domain/principal.js'
import type { ShareLink } from '../../domain/share-link.js'
import type { Forwarded } from '../wire/forwarded.js'
import type { LinkCookies } from '../wire/link-cookies.js'
import type { HttpComponents } from './components.js'

export interface GuestLinksComponents {
  readonly viewers: Pick<HttpComponents['viewers'], 'of' | 'linksInForce' | 'isInForce'>
  readonly albums: Pick<HttpComponents['albums'], 'as'>
  readonly links: Pick<NonNullable<HttpComponents['accounts']>['links'], 'opened'>
  readonly cookies: LinkCookies
  readonly forwarded: Pick<Forwarded, 'senderOf'>
}

/** Which share links a request comes by. */
export class GuestLinks {
  readonly #components: GuestLinksComponents
  readonly cookies: LinkCookies

  constructor(components: GuestLinksComponents) {
    this.#components = components
    this.cookies = components.cookies
  }

  /** @returns what its cookies have opened, in force or not */
  readonly knownIn = (request: Pick<IncomingMessage, 'headers' | 'socket'>): readonly OpenedLink[] => {
    const { links, cookies, forwarded } = this.#components
    const { cookie } = request.headers
    if (cookie === undefined) return []
    return cookies.read(cookie, forwarded.senderOf(request).isSecure).flatMap(text => links.opened(text) ?? [])
  }

  /** @returns who that is without an account; undefined: nobody, none of the links is in force */
  readonly guestIn = (request: Pick<IncomingMessage, 'headers' | 'socket'>): LinkPrincipal | undefined => {
    const opened = this.knownIn(request)
    const inForce = opened.length === 0 ? [] : this.#components.viewers.linksInForce(opened)
    if (inForce.length === 0) return undefined
    const gives = [
      ...(inForce.some(({ download, metadata }) => download && metadata) ? (['download'] as const) : []),
      ...(inForce.some(({ role }) => role === 'contributor') ? (['upload'] as const) : [])
    ]
    return { kind: 'link', links: inForce.map(({ id, proof }) => ({ id, proof })), gives }
  }

  readonly isInForce = (link: ShareLink): boolean => this.#components.viewers.isInForce(link)

  /** @throws what reading the album throws */
  async albumOf(
    { id, proof }: ShareLink,
    album: AlbumId
  ): Promise<{ readonly title: string | null; readonly count: number | null }> {
    const { viewers, albums } = this.#components
    const { name, count } = await albums.as(viewers.of(undefined, [{ id, proof }])).get(album)
    return { title: name, count }
  }
}
