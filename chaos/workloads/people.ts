import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sheaf } from '../../test/support/node-process.js'
import type { SeededRandom } from '../../test/support/seeded-random.js'
import { readPeople } from '../final-people.js'
import type { Call } from '../history.js'
import type { KnownAlbum, KnownPhoto } from '../known-photos.js'
import { admitPeople, DOOMED, MEMBERS, OWNERS, ROOT, UPLOADERS } from '../people.js'
import { pickPhoto, uploadOf, type Workload } from './workload.js'

/** A log-in is for 15 minutes. */
const SECONDS_MAX = 600
const ALBUMS_MAX = 6
/** So few that everybody can look for each of them at every node in the end. */
const PHOTOS_MAX = 120
const PHOTO_BYTES = 64
const PEOPLE = [...OWNERS, ...MEMBERS]
const ROLES = ['viewer', 'contributor', 'manager'] as const

/** Albums, who may do what with them, and what is taken away again. */
export const people: Workload = {
  name: 'people',
  about: 'people with accounts fill albums, give roles and take them away, and look at photos, at all nodes',
  secondsMax: SECONDS_MAX,
  reaches: ['uploads', 'fills', 'shares', 'unshares', 'roles', 'refusals', 'looks', 'wholeLists', 'hidings'],
  next(random, known, number) {
    const draw = random.fraction()
    const as = random.pick(PEOPLE)
    if (known.albums.length === 0 || (draw < 0.04 && known.albums.length < ALBUMS_MAX))
      return { kind: 'makeAlbum', title: `album ${number}`, as: random.pick(OWNERS) }
    const place = random.below(known.albums.length)
    const { album, owner } = known.albums[place] as KnownAlbum
    if (draw < 0.12 && known.live.length < PHOTOS_MAX) return uploadBy(random, number)
    if (draw < 0.38) return shareOf(random, known.albums[place] as KnownAlbum)
    if (draw < 0.46) return attemptOf(album, random.pick(MEMBERS), place)
    if (draw < 0.49)
      return { kind: 'setRole', user: random.pick(MEMBERS), role: random.pick(['guest', 'user']), as: ROOT }
    if (draw < 0.491) return { kind: 'disable', user: random.pick(DOOMED), as: ROOT }
    if (draw < 0.51) return { kind: 'makeUser', name: `u${number}`, as: ROOT }
    if (draw < 0.56) return { kind: 'shares', album, as }
    if (draw < 0.62) return { kind: 'list', whole: true, as }
    const photo = pickPhoto(random, known.live)
    if (photo === undefined) return uploadBy(random, number)
    if (draw < 0.74) return { kind: 'fill', album, photo: photo.photo, as: askerFor(random, photo) }
    if (draw < 0.78)
      return { kind: 'takeOut', album, photo: photo.photo, as: random.pick([owner, askerFor(random, photo)]) }
    return { kind: draw < 0.9 ? 'look' : 'fetch', photo: photo.photo, as }
  },
  async prepare(folder) {
    const { code, stdout, stderr } = await sheaf(['keygen'])
    if (code !== 0) throw new Error(`no key was made: ${stderr}`)
    const key = join(folder, 'cluster.key')
    writeFileSync(key, stdout, { mode: 0o600 })
    return ['--cluster-key', key]
  },
  admit: admitPeople,
  finish: readPeople
}

function uploadBy(random: SeededRandom, number: number): Call {
  return { ...uploadOf(random, number, PHOTO_BYTES), as: random.pick(UPLOADERS) }
}

/** Mostly its owner, who alone may put it anywhere. */
function askerFor(random: SeededRandom, { as }: KnownPhoto): string {
  return as !== undefined && random.chance(0.8) ? as : random.pick(PEOPLE)
}

/** The owner of an album gives somebody else a role, or takes it away; and closes it to all again. */
function shareOf(random: SeededRandom, { album, owner }: KnownAlbum): Call {
  if (random.chance(0.15)) return { kind: 'unshare', album, to: 'everyone', as: owner }
  const to = random.pick(PEOPLE.filter(name => name !== owner))
  return random.chance(0.55)
    ? { kind: 'share', album, to, role: random.pick(ROLES), as: owner }
    : { kind: 'unshare', album, to, as: owner }
}

/**
 * Somebody tries what only managers may. Every other album is opened to all by that; of the others nobody takes anything away
 * that is there, so that there are photos which most people never see.
 */
function attemptOf(album: string, as: string, place: number): Call {
  return place % 2 === 0
    ? { kind: 'unshare', album, to: 'public', as }
    : { kind: 'share', album, to: 'everyone', role: 'viewer', as }
}
