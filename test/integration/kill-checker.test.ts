import { describe, expect, it } from 'vitest'
import { HistoryError, PhotoHistory, shown } from '../e2e/crash/photo-history.js'
import { makeBirth, PhotoModel } from '../e2e/crash/photo-model.js'

const BORN = { deleted: false, caption: '', tags: [] }
const history = (bytesMayGo = false): PhotoHistory => new PhotoHistory(BORN, () => bytesMayGo)

describe('the judge of a photo’s history', () => {
  it('lets an operation without an answer have happened or not', () => {
    for (const [seen, expected] of [
      ['gone', true],
      [shown('', []), false]
    ] as const) {
      const photo = history()
      photo.begin({ kind: 'delete' })
      photo.crash()
      photo.observe({ kind: 'look' }, seen)
      expect(photo.maybe(true)).toBe(expected)
      expect(photo.maybe(false)).toBe(!expected)
    }
  })

  it('refuses that an acknowledged delete is undone by a crash', () => {
    const photo = history()
    photo.observe({ kind: 'delete' }, 'done')
    photo.crash()
    expect(() => photo.observe({ kind: 'look' }, shown('', []))).toThrow(HistoryError)
  })

  it('refuses that an acknowledged edit is lost, and that an operation which was refused took effect', () => {
    const lost = history()
    lost.observe({ kind: 'edit', caption: 'a' }, 'done')
    expect(() => lost.observe({ kind: 'look' }, shown('', []))).toThrow(HistoryError)
    const refused = history()
    refused.refuse(refused.begin({ kind: 'edit', caption: 'a' }))
    expect(() => refused.observe({ kind: 'look' }, shown('a', []))).toThrow(HistoryError)
  })

  it('takes two edits at once in either order, and an edit after another only in that one', () => {
    for (const last of ['a', 'b']) {
      const atOnce = history()
      const [a, b] = [atOnce.begin({ kind: 'edit', caption: 'a' }), atOnce.begin({ kind: 'edit', caption: 'b' })]
      atOnce.end(a, 'done')
      atOnce.end(b, 'done')
      atOnce.observe({ kind: 'look' }, shown(last, []))
    }
    const inTurn = history()
    inTurn.observe({ kind: 'edit', caption: 'a' }, 'done')
    inTurn.observe({ kind: 'edit', caption: 'b' }, 'done')
    expect(() => inTurn.observe({ kind: 'look' }, shown('a', []))).toThrow(HistoryError)
  })

  it('refuses that a read goes back in time', () => {
    const photo = history()
    photo.begin({ kind: 'edit', caption: 'a' })
    photo.observe({ kind: 'look' }, shown('a', []))
    expect(() => photo.observe({ kind: 'look' }, shown('', []))).toThrow(HistoryError)
  })

  it('keeps every tag of two writers at once', () => {
    const photo = history()
    const out = ['red', 'blue'].map(tag => photo.begin({ kind: 'tag', add: [tag], remove: [] }))
    for (const operation of out) photo.end(operation, 'done')
    expect(() => photo.observe({ kind: 'look' }, shown('', ['red']))).toThrow(HistoryError)
  })

  it('refuses an edit of a deleted photo that is said to be done', () => {
    const photo = history()
    photo.observe({ kind: 'delete' }, 'done')
    photo.observe({ kind: 'edit', caption: 'a' }, 'gone')
    expect(() => photo.observe({ kind: 'edit', caption: 'a' }, 'done')).toThrow(HistoryError)
  })

  it('brings caption and tags back with an undelete, whose bytes go only where they may', () => {
    const photo = history()
    photo.observe({ kind: 'edit', caption: 'a' }, 'done')
    photo.observe({ kind: 'tag', add: ['red'], remove: [] }, 'done')
    photo.observe({ kind: 'delete' }, 'done')
    photo.observe({ kind: 'undelete' }, 'done')
    photo.observe({ kind: 'look' }, shown('a', ['red']))
    photo.observe({ kind: 'delete' }, 'done')
    expect(() => photo.observe({ kind: 'undelete' }, 'bytes gone')).toThrow(HistoryError)
    const purged = history(true)
    purged.observe({ kind: 'delete' }, 'done')
    purged.observe({ kind: 'undelete' }, 'bytes gone')
    purged.observe({ kind: 'look' }, 'gone')
  })
})

describe('the judge of a node’s photos', () => {
  const birth = makeBirth('one.jpg', 1, 100, undefined)
  const meta = { photo_id: 'a', name: birth.name, content_type: 'image/jpeg', size: 100, sha256: birth.sha256 }
  const listed = { ...meta, tags: [], albums: [] }

  it('adopts an upload without an answer, once and whole', () => {
    const model = new PhotoModel()
    model.unanswered.set(birth.name, birth)
    expect(model.compare([listed]).map(({ id }) => id)).toEqual(['a'])
    model.compare([listed])
    expect(() => model.compare([listed, { ...listed, photo_id: 'b' }])).toThrow(/from nowhere/)
  })

  it('refuses a photo lost, changed or from nowhere', () => {
    const model = new PhotoModel()
    expect(() => model.compare([listed])).toThrow(/from nowhere/)
    model.acknowledge(birth, 'a')
    expect(() => model.compare([])).toThrow(HistoryError)
    expect(() => model.compare([{ ...listed, sha256: '00' }])).toThrow(/not what was uploaded/)
  })
})
