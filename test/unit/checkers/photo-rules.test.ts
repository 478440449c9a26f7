import { describe, expect, it } from 'vitest'
import { type JudgedWrite, judgePhoto, type ShownPhoto, type ShownVersion } from '../../checkers/photo-rules.js'

type Init = Partial<JudgedWrite> & Pick<JudgedWrite, 'kind'>

/** Writes in turn: each has seen all before it, unless it says otherwise. */
function writesOf(...inits: readonly Init[]): JudgedWrite[] {
  const writes: JudgedWrite[] = []
  for (const [i, init] of inits.entries()) {
    const saw = init.saw ?? new Set(writes)
    writes.push({
      number: i + 1,
      adds: [],
      removes: [],
      saw,
      mayHaveSeen: saw,
      name: init.kind === 'birth' ? 'born' : undefined,
      carries: [],
      rank: 0,
      isRankLeast: false,
      fate: 'acknowledged',
      ...init
    })
  }
  return writes
}

const live = (name: string, version: Partial<ShownVersion> = {}, rank = 0): ShownPhoto => ({
  rank,
  version: { name, tags: [], conflicts: [], livesFrom: 0, ...version }
})
const DELETED: ShownPhoto = { rank: undefined, version: undefined }
const birth = { kind: 'birth' } as const
const edit = (name: string, init: Partial<JudgedWrite> = {}): Init => ({ kind: 'edit', name, ...init })
const nothingSeen = { saw: new Set<JudgedWrite>(), mayHaveSeen: new Set<JudgedWrite>() }

describe('a photo that was uploaded', () => {
  it('may be shown as it was uploaded', () => {
    expect(judgePhoto(writesOf(birth), live('born'))).toEqual([])
  })

  it('must not be lost', () => {
    expect(judgePhoto(writesOf(birth), undefined)).toEqual(['it is gone, after birth #1 (born)'])
  })

  it('may be absent where nobody was told of it, or where it need not be known', () => {
    expect(judgePhoto(writesOf({ ...birth, fate: 'maybe' }), undefined)).toEqual([])
    expect(judgePhoto(writesOf(birth), undefined, () => false)).toEqual([])
  })

  it('must not be deleted by nobody', () => {
    expect(judgePhoto(writesOf(birth), DELETED)).toEqual([
      'it is deleted, although birth #1 (born) was acknowledged, and by nobody'
    ])
    expect(judgePhoto(writesOf(birth, { kind: 'delete', fate: 'failed' }), DELETED)).toHaveLength(1)
  })
})

describe('a delete', () => {
  const deleted = { kind: 'delete', rank: 1, isRankLeast: true } as const

  it('stands', () => {
    expect(judgePhoto(writesOf(birth, deleted), DELETED)).toEqual([])
    expect(judgePhoto(writesOf(birth, deleted), live('born'))).toContain(
      'it is at rank 0, although delete #2 was acknowledged'
    )
  })

  it('without an answer may stand or not', () => {
    const writes = writesOf(birth, { ...deleted, fate: 'maybe' })
    expect(judgePhoto(writes, DELETED)).toEqual([])
    expect(judgePhoto(writes, live('born'))).toEqual([])
  })

  it('ends with an undelete that saw it, and with no other', () => {
    const undelete = { kind: 'undelete', rank: 2, isRankLeast: true } as const
    const seen = writesOf(birth, deleted, undelete)
    expect(judgePhoto(seen, live('born', {}, 2))).toEqual([])
    expect(judgePhoto(seen, DELETED)).toEqual(['it is deleted by delete #2, although undelete #3 saw that'])
    const unseen = writesOf(birth, deleted, { ...undelete, rank: 0, ...nothingSeen })
    expect(judgePhoto(unseen, DELETED)).toEqual([])
  })

  it('beats edits at the same time', () => {
    const writes = writesOf(birth, deleted, edit('late', nothingSeen))
    expect(judgePhoto(writes, DELETED)).toEqual([])
    expect(judgePhoto(writes, live('late'))).toContain('it is at rank 0, although delete #2 was acknowledged')
  })
})

describe('edits', () => {
  it('in turn: the last is shown', () => {
    const writes = writesOf(birth, edit('a'), edit('b'))
    expect(judgePhoto(writes, live('b'))).toEqual([])
    expect(judgePhoto(writes, live('a'))).toContain('it shows edit #2 (a), although edit #3 (b) saw that')
  })

  it('at the same time: one is shown and the other is a conflict', () => {
    const [born] = writesOf(birth) as [JudgedWrite]
    const saw = new Set([born])
    const writes = [
      born,
      ...writesOf(birth, edit('a', { saw, mayHaveSeen: saw }), edit('b', { saw, mayHaveSeen: saw })).slice(1)
    ]
    expect(judgePhoto(writes, live('a', { conflicts: ['b'] }))).toEqual([])
    expect(judgePhoto(writes, live('b', { conflicts: ['a'] }))).toEqual([])
    expect(judgePhoto(writes, live('b'))).toEqual([
      'edit #2 (a) is neither shown nor a conflict, and nobody has superseded it'
    ])
    expect(judgePhoto(writes, live('b', { conflicts: undefined }))).toEqual([])
  })

  it('without an answer may have superseded what came before', () => {
    const [born, a] = writesOf(birth, edit('a')) as [JudgedWrite, JudgedWrite]
    const lost = {
      ...(writesOf(edit('b'))[0] as JudgedWrite),
      number: 3,
      fate: 'maybe',
      mayHaveSeen: new Set([born, a])
    } as const
    expect(judgePhoto([born, a, lost], live('b'))).toEqual([])
    expect(judgePhoto([born, a, lost], live('a'))).toEqual([])
  })

  it('show no name that nobody gave', () => {
    expect(judgePhoto(writesOf(birth), live('forged'))).toContain('its name is forged, which nobody wrote at rank 0')
  })
})

describe('tags', () => {
  const tagged = edit('a', { adds: ['red'] })

  it('stay until somebody who saw them takes them away', () => {
    expect(judgePhoto(writesOf(birth, tagged), live('a', { tags: ['red'] }))).toEqual([])
    expect(judgePhoto(writesOf(birth, tagged), live('a'))).toEqual(['it lacks the tag red of edit #2 (a)'])
    const removed = writesOf(birth, tagged, edit('b', { removes: ['red'] }))
    expect(judgePhoto(removed, live('b'))).toEqual([])
    expect(judgePhoto(removed, live('b', { tags: ['red'] }))).toEqual(['it has the tag red, which was removed'])
  })

  it('that are there are not added anew, so that who saw the first add takes them away', () => {
    const [born, first, again] = writesOf(birth, tagged, edit('b', { adds: ['red'] }))
    const remove = (saw: readonly (JudgedWrite | undefined)[]): JudgedWrite => ({
      ...(writesOf(edit('c', { removes: ['red'] }))[0] as JudgedWrite),
      number: 4,
      saw: new Set(saw as JudgedWrite[]),
      mayHaveSeen: new Set(saw as JudgedWrite[])
    })
    const writes = [born, first, again] as JudgedWrite[]
    const conflicts = { conflicts: ['b'] }
    expect(judgePhoto([...writes, remove([born, first])], live('c', conflicts))).toEqual([])
    expect(judgePhoto([...writes, remove([born])], live('c', { conflicts: ['a', 'b'] }))).toEqual([
      'it lacks the tag red of edit #2 (a)',
      'it lacks the tag red of edit #3 (b)'
    ])
    // added after it was taken away, it is a new one
    const taken = remove([born, first])
    const anew = { ...again, number: 5, saw: new Set([born, first, taken]), mayHaveSeen: new Set([born, first, taken]) }
    expect(judgePhoto([born, first, taken, anew] as JudgedWrite[], live('b'))).toEqual([
      'it lacks the tag red of edit #5 (b)'
    ])
  })

  it('come from somebody', () => {
    expect(judgePhoto(writesOf(birth), live('born', { tags: ['blue'] }))).toEqual([
      'it has the tag blue, which nobody gave it'
    ])
  })
})
