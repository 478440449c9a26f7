import { LRUCache } from 'lru-cache'
import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { eachInTurns } from '../../core/turn.js'
import type { Directory } from '../../directory/directory.js'
import { isTermOf } from '../../directory/term-index.js'
import { ACL_KIND, type GroupGrantee } from '../../domain/acl.js'
import { ALBUM_KIND } from '../../domain/album.js'
import {
  type AlbumAudience,
  AudienceSet,
  audienceText,
  isSeeing,
  mayWithAlbum,
  mayWithPhoto,
  type NamedAudience,
  namedAudience,
  type OpenedLink,
  ownersToDelete,
  type Person,
  type PhotoAct,
  type PhotoAudience,
  parseAudience,
  photoAudience
} from '../../domain/audience.js'
import { type AlbumId, type LinkId, parseAlbumId, type UserId } from '../../domain/ids.js'
import { AUDIENCES_HELD_MAX, VIEWERS_HELD_MAX } from '../../domain/limits.js'
import { GROUP_KIND } from '../../domain/people-group.js'
import { PHOTO_KIND } from '../../domain/photo.js'
import type { DirectoryRecord } from '../../domain/record.js'
import { SETTINGS_KIND } from '../../domain/settings-record.js'
import { isInForce, isLinked, type ShareLink } from '../../domain/share-link.js'
import { AUDIENCE, photoOf } from '../../domain/terms.js'
import type { KnownAlbums } from './known-albums.js'
import type { GuestUpload, Viewer } from './viewer.js'

export interface ViewersComponents {
  readonly directory: Pick<Directory, 'onComing' | 'onChange' | 'onOpaque' | 'countsOf' | 'language'>
  /** Told when one of their records has changed. */
  readonly albums: KnownAlbums
  /** In what groups somebody is now. */
  readonly groupsOf: (id: UserId) => readonly GroupGrantee[]
  /** Default: there are no share links. */
  readonly links?: { get(id: LinkId): ShareLink | undefined } | undefined
  /** Whether there is an account that can log in. Default: there is none. */
  readonly isOpen?: ((id: UserId) => boolean) | undefined
  readonly clock: Pick<Clock, 'now'>
  readonly log: Logger
}

/** An audience that live photos have, or had when somebody asked. */
interface KnownAudience extends PhotoAudience, NamedAudience {}

/** They only ever become more: whoever reads them goes on where he was. */
class KnownAudiences {
  readonly #texts = new Set<string>()
  readonly #list: KnownAudience[] = []

  get list(): readonly KnownAudience[] {
    return this.#list
  }

  has(text: string): boolean {
    return this.#texts.has(text)
  }

  add(text: string, audience: PhotoAudience): void {
    this.#texts.add(text)
    this.#list.push({ ...audience, ...namedAudience(text) })
  }
}

/** Audiences that no photo has any more are forgotten when there may be more of them than of others, and than that. */
const DEAD_AUDIENCES_MAX = 256

/** Of which audiences somebody sees the photos. */
interface Sight {
  /** Those that photos get after that are in it as well. */
  readonly audiences: AudienceSet
  readonly epoch: number
  readonly endsAtMs: number
}

/**
 * What each person may see and do, by the records of this node. What follows from them is kept until one of those changes: so
 * a record that takes something away counts in the same step in which it is here.
 */
export class Viewers implements Startable {
  readonly #components: ViewersComponents
  /** All that live photos have had since they were read, by their texts; more do no harm. Undefined: nobody has asked for them. */
  #audiences: KnownAudiences | undefined
  /** Those that are being read. */
  #arriving: KnownAudiences | undefined
  /** How many there were when they were read. */
  #live = 0
  #reading: Promise<void> | undefined
  readonly #sights = new LRUCache<string, Sight>({ max: VIEWERS_HELD_MAX })
  /** Rises whenever somebody may see more or less of the audiences than before. */
  #epoch = 0
  #isFull = false
  #unsubscribe = (): void => {}

  constructor(components: ViewersComponents) {
    this.#components = components
  }

  async start(): Promise<void> {
    const { directory } = this.#components
    // a list that is read before the change is told of has to know whose photos it finds
    const offComing = directory.onComing(changes => {
      for (const { key, after } of changes) this.#noteAudience(key.kind, after)
    })
    const offChange = directory.onChange(changes => {
      for (const { key, after } of changes) this.#note(key.kind, key.id, after)
    })
    const offOpaque = directory.onOpaque(keys => {
      for (const { kind, id } of keys) this.#note(kind, id, undefined)
    })
    this.#unsubscribe = () => {
      offComing()
      offChange()
      offOpaque()
    }
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
  }

  /**
   * @param person - undefined: somebody without an account, where one is needed
   * @param opened - links that he has opened, in force or not. Without an account he sees what these show, and nothing else
   */
  of(person: Person | undefined, opened: readonly OpenedLink[] = []): Viewer {
    const isByLinkOnly = person === undefined && opened.length > 0
    const { albums } = this.#components
    const linked = (): readonly ShareLink[] => this.linksInForce(opened)
    return {
      onlooker: person ?? (isByLinkOnly ? { links: opened } : 'public'),
      knowsPeople: !isByLinkOnly,
      may: (act, audience) =>
        (!isByLinkOnly &&
          mayWithPhoto(act, audience, this.#now(person), {
            unowned: albums.unowned,
            albumOf: id => this.#liveAlbum(id)
          })) ||
        (opened.length > 0 && linked().some(link => allows(link, act) && isLinked(link, audience, albums.unowned))),
      mayWithAlbum: (act, id) => {
        const audience = albums.get(id)?.audience
        if (audience === undefined) return act === 'add' && person !== undefined && this.#isSetOf(id, person)
        if (!isByLinkOnly && mayWithAlbum(act, audience, this.#now(person))) return true
        const isGiven = act === 'see' || (act === 'add' && isByLinkOnly)
        if (!isGiven || opened.length === 0) return false
        return linked().some(({ album, role }) => album === id && (act === 'see' || role === 'contributor'))
      },
      audiences: (act = 'see') =>
        this.#audiencesOf(person, isByLinkOnly, opened.length === 0 ? [] : linked().filter(link => allows(link, act))),
      trashOwners: () => ownersToDelete(person, albums.unowned),
      guestUpload: into => (isByLinkOnly ? this.#guestUpload(linked(), into) : undefined)
    }
  }

  /** @returns that person, in the groups that he is in at this moment */
  #now(person: Person | undefined): Person | undefined {
    return person && { ...person, groups: this.#components.groupsOf(person.userId) }
  }

  /** Whether it is the label of photos that a link of that one is of. */
  #isSetOf(id: AlbumId, { userId }: Person): boolean {
    const link = this.#components.links?.get(id as string as LinkId)
    return link !== undefined && !link.isRevoked && link.album === undefined && link.by === userId
  }

  /** @returns those of the opened links that count now */
  linksInForce(opened: readonly OpenedLink[]): readonly ShareLink[] {
    const { links } = this.#components
    return opened.flatMap(({ id, proof }) => {
      const link = links?.get(id)
      return link !== undefined && link.proof === proof && this.isInForce(link) ? link : []
    })
  }

  isInForce(link: ShareLink): boolean {
    const { clock, groupsOf, isOpen = () => false } = this.#components
    return isInForce(link, { albumOf: id => this.#liveAlbum(id), groupsOf, isOpen }, clock.now())
  }

  #guestUpload(linked: readonly ShareLink[], albums: readonly string[]): GuestUpload {
    const giving = linked.filter(({ album, role }) => album !== undefined && role === 'contributor')
    const [link, ...others] = albums.length === 0 ? giving : giving.filter(({ album }) => album === albums[0])
    const owner = link?.album && this.#liveAlbum(link.album)?.owner
    if (link?.album === undefined || owner === undefined || owner === 'everyone' || albums.length > 1)
      throw new SheafError('ERR_FORBIDDEN', 'the link does not let you put photos there, only into its own album')
    if (albums.length === 0 && others.some(({ album }) => album !== link.album))
      throw new SheafError(
        'ERR_BAD_PARAMETER',
        'you have opened several links: say by `album` where the photo is to go'
      )
    return { album: link.album, owner, by: `link:${link.id}` }
  }

  #liveAlbum(id: AlbumId): AlbumAudience | undefined {
    return this.#components.albums.live(id)?.audience
  }

  /** @param links - in force */
  async #audiencesOf(
    person: Person | undefined,
    isByLinkOnly: boolean,
    links: readonly ShareLink[]
  ): Promise<AudienceSet> {
    const { clock } = this.#components
    const known = await this.#knownAudiences()
    const name = [
      person === undefined ? '' : `${person.userId} ${person.role}`,
      isByLinkOnly,
      ...linkNames(links)
    ].join()
    const before = this.#sights.get(name)
    if (before?.epoch === this.#epoch && clock.now() < before.endsAtMs) return before.audiences
    const sight = await this.#sightOf(person, isByLinkOnly, links, known)
    this.#sights.set(name, sight)
    return sight.audiences
  }

  async #sightOf(
    person: Person | undefined,
    isByLinkOnly: boolean,
    links: readonly ShareLink[],
    known: readonly KnownAudience[]
  ): Promise<Sight> {
    const { albums } = this.#components
    const epoch = this.#epoch
    let endsAtMs = Number.POSITIVE_INFINITY
    const albumOf = (id: AlbumId): AlbumAudience | undefined => {
      const album = albums.live(id)
      if (album === undefined) return undefined
      endsAtMs = Math.min(endsAtMs, album.endsAtMs)
      return album.audience
    }
    const isSeen = (audience: PhotoAudience): boolean =>
      (!isByLinkOnly && mayWithPhoto('see', audience, this.#now(person), { unowned: albums.unowned, albumOf })) ||
      links.some(link => isLinked(link, audience, albums.unowned))
    const seen: KnownAudience[] = []
    let count = 0
    await eachInTurns(known, audience => {
      count++
      if (isSeen(audience)) seen.push(audience)
    })
    const audiences = new AudienceSet(seen, () => {
      const arrived = known.slice(count).filter(isSeen)
      count = known.length
      return arrived
    })
    return {
      audiences,
      epoch,
      get endsAtMs() {
        return endsAtMs
      }
    }
  }

  /** @throws `ERR_INDEX_BUILDING` */
  async #knownAudiences(): Promise<readonly KnownAudience[]> {
    if (!isTermOf(this.#components.directory.language, AUDIENCE)) throw new SheafError('ERR_INDEX_BUILDING')
    const known = this.#audiences
    if (known !== undefined && known.list.length <= 2 * this.#live + DEAD_AUDIENCES_MAX) return known.list
    this.#reading ??= this.#readAudiences().finally(() => {
      this.#reading = undefined
    })
    await this.#reading
    return this.#audiences?.list ?? []
  }

  async #readAudiences(): Promise<void> {
    // what is written while it reads is noted as well
    const arriving = new KnownAudiences()
    this.#arriving = arriving
    const found = await this.#components.directory.countsOf(AUDIENCE, 2 * AUDIENCES_HELD_MAX)
    await eachInTurns(found.keys(), text => {
      const audience = parseAudience(text)
      if (audience !== undefined) this.#addTo(arriving, text, audience)
    })
    this.#audiences = arriving
    this.#arriving = undefined
    this.#live = arriving.list.length
    this.#epoch++
  }

  #note(kind: string, id: string, record: DirectoryRecord | undefined): void {
    switch (kind) {
      case PHOTO_KIND:
        // where audiences began to be read after it was told that the photo is coming
        this.#noteAudience(kind, record)
        return
      case ALBUM_KIND:
      case ACL_KIND: {
        const album = parseAlbumId(id)
        if (album !== undefined) this.#components.albums.forget(album)
        this.#epoch++
        return
      }
      case GROUP_KIND:
        this.#epoch++
        return
      case SETTINGS_KIND:
        this.#components.albums.clear()
        this.#epoch++
    }
  }

  #noteAudience(kind: string, record: DirectoryRecord | undefined): void {
    const all = [this.#audiences, this.#arriving].filter(known => known !== undefined)
    const photo = kind === PHOTO_KIND && all.length > 0 && record !== undefined ? photoOf(record) : undefined
    if (photo === undefined || photo.deleted) return
    const audience = photoAudience(photo)
    for (const known of all) this.#addTo(known, audienceText(audience), audience)
  }

  /** What somebody has in no album is always among them: nobody else can take that away from his lists. */
  #addTo(known: KnownAudiences, text: string, audience: PhotoAudience): void {
    if (known.has(text)) return
    if (known.list.length >= AUDIENCES_HELD_MAX && audience.albums.length > 0) {
      if (!this.#isFull)
        this.#components.log.warn(
          { audiences: AUDIENCES_HELD_MAX },
          'photos are in more combinations of albums than a node holds; lists leave some of them out'
        )
      this.#isFull = true
      return
    }
    known.add(text, audience)
  }
}

/** @returns whether a link gives that of the photos that it is of */
function allows({ download, metadata }: ShareLink, act: PhotoAct): boolean {
  // an original tells all that its camera has written into it
  return isSeeing(act) && (act === 'see' || (metadata && (act === 'facts' || download)))
}

function linkNames(links: readonly ShareLink[]): string[] {
  return links.map(({ id }) => id).sort()
}
