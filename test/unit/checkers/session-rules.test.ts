import { describe, expect, it } from 'vitest'
import { floorAfter, joinFloors, judgeListing, judgeSighting, type Sighting } from '../../checkers/session-rules.js'

const live = (generation: number, clock: Record<string, number>): Sighting => ({ deleted: false, generation, clock })
const DELETED: Sighting = { deleted: true, generation: undefined, clock: undefined }
const FETCHED: Sighting = { deleted: false, generation: undefined, clock: undefined }

describe('what one node may show of a photo within one life of its process', () => {
  it('is anything at first', () => {
    expect(judgeSighting(undefined, undefined)).toBeUndefined()
    expect(judgeSighting(undefined, live(3, { a: 1 }))).toBeUndefined()
  })

  it('is never less than before', () => {
    const floor = floorAfter(undefined, live(0, { a: 2, b: 1 }))
    expect(judgeSighting(floor, live(0, { a: 2, b: 1, c: 1 }))).toBeUndefined()
    expect(judgeSighting(floor, live(0, { a: 2 }))).toBe('its clock is {"a":2}, after {"a":2,"b":1} was seen')
    expect(judgeSighting(floor, undefined)).toBe('it is unknown where it was known before')
  })

  it('is not alive in the same life once it was deleted', () => {
    const floor = floorAfter(floorAfter(undefined, live(0, { a: 1 })), DELETED)
    expect(judgeSighting(floor, live(0, { a: 9 }))).toBe('it lives at rank 0, after rank 1 was seen')
    expect(judgeSighting(floor, live(1, { b: 1 }))).toBeUndefined()
    expect(judgeSighting(floor, DELETED)).toBeUndefined()
    expect(judgeSighting(floor, FETCHED)).toBeUndefined() // somebody may have undeleted it
  })

  it('may have other writers in the clock of a later life', () => {
    const floor = floorAfter(undefined, live(0, { a: 5 }))
    expect(judgeSighting(floor, live(1, { b: 1 }))).toBeUndefined()
  })
})

describe('floors', () => {
  it('demand what each of two of one life does', () => {
    expect(joinFloors({ rank: 0, clock: { a: 2, b: 1 } }, { rank: 0, clock: { a: 1, c: 3 } })).toEqual({
      rank: 0,
      clock: { a: 2, b: 1, c: 3 }
    })
  })

  it('demand what the later life does', () => {
    const [early, late] = [
      { rank: 0, clock: { a: 2 } },
      { rank: 2, clock: { b: 1 } }
    ]
    expect(joinFloors(early, late)).toEqual(late)
    expect(joinFloors(late, early)).toEqual(late)
  })

  it('do not rise above what an undelete that found nothing to do has seen', () => {
    expect(floorAfter(undefined, FETCHED)).toEqual({ rank: 0, clock: {} })
    expect(floorAfter({ rank: 1, clock: {} }, FETCHED).rank).toBe(2)
  })
})

describe('a list of all photos of a node', () => {
  const living = floorAfter(undefined, live(0, { a: 1 }))
  const deleted = floorAfter(living, DELETED)
  const NOBODY = { mayBeDeleted: false, mayBeUndeleted: false }

  it('has what the node has shown, unless somebody may have deleted it', () => {
    expect(judgeListing(living, true, NOBODY)).toBeUndefined()
    expect(judgeListing(living, false, NOBODY)).toContain('not listed')
    expect(judgeListing(living, false, { ...NOBODY, mayBeDeleted: true })).toBeUndefined()
  })

  it('has nothing that the node has shown as deleted, unless somebody may have taken that back', () => {
    const gone = { mayBeDeleted: true, mayBeUndeleted: false }
    expect(judgeListing(deleted, false, gone)).toBeUndefined()
    expect(judgeListing(deleted, true, gone)).toContain('is listed where it was deleted')
    expect(judgeListing(deleted, true, { ...gone, mayBeUndeleted: true })).toBeUndefined()
  })
})
