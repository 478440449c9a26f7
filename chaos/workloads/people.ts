import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sheaf } from '../../test/support/node-process.js'
import type { SeededRandom } from '../../test/support/seeded-random.js'
import { readPeople } from '../final-people.js'
import type { Call } from '../history.js'
import type { KnownPhotos } from '../known-photos.js'
import { admitPeople, MEMBERS, OWNERS, ROOT } from '../people.js'
import { pickPhoto, uploadOf, type Workload } from './workload.js'

/** A log-in is for 15 minutes. */
const SECONDS_MAX = 600
const ALBUMS_MAX = 6
const PHOTO_BYTES = 64
const PEOPLE = [...OWNERS, ...MEMBERS]
/** The last one stays an account that counts, so that there is one to be given roles. */
const DOOMED = MEMBERS.slice(1)
const ROLES = ['viewer', 'contributor', 'manager'] as const

/** Albums, who may do what with them, and what is taken away again. */
export const people: Workload = {
  name: 'people',
  about: 'people with accounts make albums, put photos into them, give roles and take them away, at all nodes',
  secondsMax: SECONDS_MAX,
  reaches: ['uploads', 'fills', 'shares', 'unshares', 'roles', 'refusals'],
  next(random, known, number) {
    const draw = random.fraction()
    const as = random.pick(PEOPLE)
    const album = known.albums.length === 0 ? undefined : random.pick(known.albums)
    if (album === undefined || (draw < 0.04 && known.albums.length < ALBUMS_MAX))
      return { kind: 'makeAlbum', title: `album ${number}`, as: random.pick(OWNERS) }
    if (draw < 0.16) return { ...uploadOf(random, number, PHOTO_BYTES), as }
    if (draw < 0.26) return fillOf(random, known, album.album, number, as)
    if (draw < 0.6) return shareOf(random, album)
    if (draw < 0.72)
      return { kind: 'share', album: album.album, to: 'everyone', role: 'viewer', as: random.pick(MEMBERS) }
    if (draw < 0.75)
      return { kind: 'setRole', user: random.pick(MEMBERS), role: random.pick(['guest', 'user']), as: ROOT }
    if (draw < 0.751) return { kind: 'disable', user: random.pick(DOOMED), as: ROOT }
    if (draw < 0.77) return { kind: 'makeUser', name: `u${number}`, as: ROOT }
    if (draw < 0.9) return { kind: 'shares', album: album.album, as: random.pick(OWNERS) }
    const photo = pickPhoto(random, known.live)
    return photo === undefined ? uploadOf(random, number, PHOTO_BYTES) : { kind: 'look', photo: photo.photo, as }
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

function fillOf(random: SeededRandom, known: KnownPhotos, album: string, number: number, as: string): Call {
  const photo = pickPhoto(random, known.live)
  return photo === undefined
    ? { ...uploadOf(random, number, PHOTO_BYTES), as }
    : { kind: 'fill', album, photo: photo.photo, as }
}

/** Its owner gives somebody else a role, or takes it away. */
function shareOf(random: SeededRandom, { album, owner }: KnownPhotos['albums'][number]): Call {
  const to = random.pick(PEOPLE.filter(name => name !== owner))
  return random.chance(0.6)
    ? { kind: 'share', album, to, role: random.pick(ROLES), as: owner }
    : { kind: 'unshare', album, to, as: owner }
}
