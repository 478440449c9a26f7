import { describe, expect, it } from 'vitest'
import { parseHistory } from '../../../chaos/history.js'
import { judge } from '../../../chaos/judge.js'
import { noiseBytes, sha256Hex } from '../../support/photo-maker.js'
import { DEADLINE_MS, finalOf, ScriptedHistory, shown, uploadNamed } from './scripted-history.js'

const GONE = { outcome: 'failed', status: 410, code: 'ERR_PHOTO_DELETED' } as const
const UNKNOWN = { outcome: 'failed', status: 404, code: 'ERR_PHOTO_NOT_FOUND' } as const

/** @returns what was found, each behind the name of its checker */
function found(history: ScriptedHistory): string[] {
  return history.verdict().problems.map(({ checker, what }) => `${checker}: ${what}`)
}

/** A photo p that was uploaded at n1 and, where asked for, edited once at each node, one after the other. */
function begun(edits = false): ScriptedHistory {
  const history = new ScriptedHistory()
  history.upload('n1', 'p')
  if (!edits) return history
  history.edit('n1', 'p', 'first', { n1: 2 })
  history.edit('n2', 'p', 'second', { n1: 2, n2: 1 })
  return history
}

describe('a run in which all was well', () => {
  it('passes', () => {
    const history = begun(true)
    history.upload('n2', 'q')
    history.ask('n1', { kind: 'delete', photo: 'q' })
    history.ask('n1', { kind: 'look', photo: 'q' }, GONE)
    history.finally('p', finalOf('p', 'second'))
    history.finally('q', { status: 410 })
    const { result, problems, obstacles } = history.verdict()
    expect({ result, problems, obstacles }).toEqual({ result: 'pass', problems: [], obstacles: [] })
  })

  it('may end with an upload that nobody was told of', () => {
    const history = new ScriptedHistory()
    history.upload('n1', 'p', { outcome: 'indeterminate', status: 500 })
    history.finally('p', finalOf('p'))
    expect(found(history).filter(problem => !problem.startsWith('availability'))).toEqual([])
  })
})

describe('a checker finds', () => {
  it('a lost upload', () => {
    const history = begun()
    history.finally('p', { status: 404 })
    expect(found(history)).toContain('photos: p at n1: it is gone, after birth #3 (p)')
  })

  it('a delete that came back', () => {
    const history = begun()
    history.ask('n1', { kind: 'delete', photo: 'p' })
    history.finally('p', finalOf('p'))
    expect(found(history)).toContain('photos: p at n1: it is at rank 0, although delete #4 was acknowledged')
  })

  it('an undelete that was lost', () => {
    const history = begun()
    history.ask('n1', { kind: 'delete', photo: 'p' })
    history.ask('n1', { kind: 'undelete', photo: 'p' })
    history.finally('p', { status: 410 })
    expect(found(history)).toContain('photos: p at n1: it is deleted by delete #4, although undelete #5 saw that')
  })

  it('an edit that was beaten by one that it saw', () => {
    const history = begun(true)
    history.finally('p', finalOf('p', 'first'))
    expect(found(history)).toContain('photos: p at n1: it shows edit #4 (first), although edit #5 (second) saw that')
  })

  it('an edit at the same time as another that is lost without a trace', () => {
    const history = begun()
    history.edit('n1', 'p', 'first', { n1: 2 })
    history.edit('n2', 'p', 'second', { n1: 1, n2: 1 })
    history.finally('p', finalOf('p', 'second'))
    expect(found(history)).toContain(
      'photos: p at n1: edit #4 (first) is neither shown nor a conflict, and nobody has superseded it'
    )
  })

  it('an effect of what was refused', () => {
    const history = begun()
    history.ask('n1', { kind: 'delete', photo: 'p' }, { outcome: 'failed', status: 507, code: 'ERR_DISK_FULL' })
    history.finally('p', { status: 410 })
    expect(found(history)).toContain(
      'photos: p at n1: it is deleted, although birth #3 (p) was acknowledged, and by nobody'
    )
  })

  it('a photo that nobody uploaded, and one too many of an upload', () => {
    const history = begun()
    history.finally('p', finalOf('p'))
    history.finally('stranger', finalOf('stranger'))
    history.finally('twin', finalOf('p'))
    expect(found(history)).toEqual(
      expect.arrayContaining([
        'set: stranger at n1 is of no upload',
        'set: p and twin are of one upload, tried 1 times'
      ])
    )
  })

  it('wrong bytes, in a range and in the end', () => {
    const history = begun()
    const bytes = noiseBytes(uploadNamed('p').seed, 50).subarray(10)
    const told = { byteCount: 40, sha256: sha256Hex(bytes) }
    history.ask('n2', { kind: 'fetch', photo: 'p', range: [10, 50] }, { status: 206, told })
    expect(found(history)).toEqual([])
    const flipped = { ...told, sha256: sha256Hex(bytes.map((byte, i) => (i === 3 ? byte ^ 1 : byte))) }
    history.ask('n2', { kind: 'fetch', photo: 'p', range: [10, 50] }, { status: 206, told: flipped })
    history.finally('p', { ...finalOf('p'), bytes: { status: 200, sha256: 'other' } })
    expect(found(history)).toEqual(
      expect.arrayContaining([
        'bytes: fetch #5 of p [10, 50) at n2 gave other bytes',
        'bytes: p at n1: its bytes are others than it says'
      ])
    )
  })

  it('a session that goes back in time', () => {
    const history = begun(true)
    history.ask('n2', { kind: 'look', photo: 'p' }, { told: shown('first', { n1: 2 }) })
    expect(found(history)).toEqual([
      'session: look #6 of p at n2: its clock is {"n1":2}, after {"n1":2,"n2":1} was seen'
    ])
  })

  it('a write that its own node forgot over a kill, but not what the node had only heard of', () => {
    const history = begun(true)
    history.ask('n1', { kind: 'look', photo: 'p' }, { told: shown('second', { n1: 2, n2: 1 }) })
    history.node('n1', 'down')
    history.node('n1', 'up')
    history.ask('n1', { kind: 'look', photo: 'p' }, { told: shown('first', { n1: 2 }) })
    expect(found(history)).toEqual([])
    history.ask('n1', { kind: 'look', photo: 'p' }, { told: shown('p', { n1: 1 }) })
    expect(found(history)).toHaveLength(1)
  })

  it('no going back where a last answer came in after the kill', () => {
    const history = begun(true)
    const look = history.begin('n1', { kind: 'look', photo: 'p' })
    history.node('n1', 'down')
    history.end(look, { told: shown('second', { n1: 2, n2: 1 }) })
    history.node('n1', 'up')
    history.ask('n1', { kind: 'look', photo: 'p' }, { told: shown('first', { n1: 2 }) })
    expect(found(history)).toEqual([])
  })

  it('no going back where the files of a node were harmed, but where those of another were', () => {
    for (const [harmed, problems] of [
      ['n1', 0],
      ['n2', 1]
    ] as const) {
      const history = begun(true)
      history.node(harmed, 'stopping')
      history.node(harmed, 'damaged')
      history.node(harmed, 'up')
      history.ask('n1', { kind: 'look', photo: 'p' }, UNKNOWN)
      expect(found(history).filter(problem => problem.startsWith('session'))).toHaveLength(problems)
    }
  })

  it('copies of a volume that differ on disks, but not one that goes further', () => {
    const history = begun()
    const sha256 = (text: string): string => sha256Hex(Buffer.from(text))
    const disk = (node: string, v1: string): void => {
      const volumes = [
        { name: 'v1.volume', byteCount: 10, sha256: sha256(v1) },
        { name: 'v2.volume', byteCount: node.length + v1.length, sha256: sha256(node + v1) }
      ]
      history.lines.push({ type: 'disk', node, volumes })
    }
    disk('n1', 'as it was')
    disk('n2', 'as it was harmed')
    expect(found(history)).toEqual(['convergence: v1.volume of 10 bytes is not the same on the disks of n1 and n2'])
  })

  it('a list that lacks what its node has acknowledged, and one that has what it has deleted', () => {
    const history = begun()
    history.upload('n1', 'q')
    history.ask('n1', { kind: 'delete', photo: 'q' })
    const list = (node: string, ...photos: readonly string[]): void =>
      history.ask(node, { kind: 'list', whole: true }, { told: { photos } })
    list('n1', 'p')
    list('n2') // may not have heard of it
    history.node('n1', 'down')
    history.node('n1', 'up')
    list('n1', 'p')
    expect(found(history)).toEqual([])
    list('n1', 'q')
    expect(found(history)).toEqual([
      'session: list #9 at n1: p: it is not listed where it was known before, and nobody has deleted it',
      'session: list #9 at n1: q: it is listed where it was deleted before'
    ])
  })

  it('a list that lacks what another one of its node had, unless that life of it is over', () => {
    const history = begun()
    history.ask('n2', { kind: 'look', photo: 'p' }, { told: shown('p', { n1: 1 }) })
    const list = (): void => history.ask('n2', { kind: 'list', whole: true }, { told: { photos: [] } })
    list()
    expect(found(history)).toHaveLength(1)
    history.node('n2', 'down')
    history.node('n2', 'up')
    list()
    expect(found(history)).toHaveLength(1)
  })

  it('a search that finds what its node has deleted', () => {
    const history = begun()
    history.ask('n1', { kind: 'delete', photo: 'p' })
    history.search('n1')
    expect(found(history)).toEqual([])
    history.search('n1', 'p')
    expect(found(history)).toEqual(['session: search #6 at n1: p: it is listed where it was deleted before'])
  })

  it('a search that says that it is of all and lacks what was found, unless that is new or something was wrong', () => {
    const history = begun()
    history.search('n1', 'p')
    history.pass(20_000)
    history.cut('begins')
    history.cut('ends')
    history.search('n1')
    history.pass(20_000)
    history.search('n1', 'p')
    history.search('n1')
    expect(found(history)).toEqual([])
    history.pass(20_000)
    history.search('n2')
    expect(found(history)).toEqual([])
    history.search('n1')
    expect(found(history)).toEqual([
      'search: search #9 at n1: it says that it is of all, and lacks p, which was found before'
    ])
  })

  it('an index that is not what lives when all has been quiet', () => {
    const history = begun()
    history.upload('n1', 'q')
    history.finally('p', finalOf('p'))
    history.finally('q', finalOf('q'))
    for (const [node, photos, coverage] of [
      ['n1', ['q', 'p'], 1],
      ['n2', ['p'], 0.5]
    ] as const)
      history.lines.push({ type: 'searched', atMs: 1_000, node, status: 200, photos, coverage })
    expect(found(history)).toEqual([
      'search: n2: it still says that it searches 0.5 of the index, long after all agreed',
      'search: n2: it does not find q, which lives, long after all agreed'
    ])
  })

  it('nodes that show different things in the end', () => {
    const history = begun()
    history.edit('n1', 'p', 'first', { n1: 2 })
    history.edit('n2', 'p', 'second', { n1: 1, n2: 1 })
    history.finallyAt('n1', 'p', { ...finalOf('p', 'first'), conflicts: ['second'] })
    history.finallyAt('n2', 'p', { ...finalOf('p', 'second'), conflicts: ['first'] })
    expect(history.verdict().problems.map(({ checker }) => checker)).toEqual(['convergence'])
  })

  it('what nodes list and do not have', () => {
    const history = begun()
    history.lines.push({ type: 'listed', node: 'n1', photos: ['p'] })
    history.finallyAt('n1', 'p', { status: 410 })
    expect(found(history)).toContain('set: n1 lists p, which it answers with 410')
  })
})

describe('availability', () => {
  it('is lost by an error, by silence and by slowness', () => {
    const history = begun()
    history.ask('n1', { kind: 'list' }, { outcome: 'indeterminate', status: 500 })
    const slow = history.begin('n1', { kind: 'list' })
    history.pass(DEADLINE_MS)
    history.end(slow)
    expect(found(history).map(problem => problem.split(' in: ')[1])).toEqual(['500', '200 only after 5010 ms'])
  })

  it('is not asked of a node that is down or stands still', () => {
    const history = begun()
    history.node('n1', 'paused')
    const open = history.begin('n1', { kind: 'list' })
    history.pass(DEADLINE_MS)
    history.node('n1', 'resumed')
    history.end(open)
    history.node('n2', 'down')
    history.ask('n2', { kind: 'list' }, { outcome: 'failed', error: 'refused' })
    history.node('n2', 'up')
    expect(found(history)).toEqual([])
    const { excuses } = history.verdict().figures
    expect(excuses).toEqual({ 'the node stood still': 1, 'the node did not run': 1 })
  })

  it('is not asked of a node that is stopped, which is no kill', () => {
    const history = begun()
    const open = history.begin('n1', { kind: 'edit', photo: 'p', name: 'q', adds: [], removes: [] })
    history.node('n1', 'stopping')
    history.end(open, { outcome: 'failed', status: 503, code: 'ERR_STOPPING' })
    history.node('n1', 'up')
    expect(found(history)).toEqual([])
    const { excuses, reached } = history.verdict().figures
    expect(excuses).toEqual({ 'the node was stopped': 1 })
    expect(reached).toMatchObject({ stopsUnderWrite: 1, killsUnderWrite: 0 })
  })

  it('has 404 only for what the node may not have heard of', () => {
    const apart = begun()
    apart.cut('begins')
    apart.ask('n2', { kind: 'look', photo: 'p' }, UNKNOWN)
    apart.cut('ends')
    expect(found(apart)).toEqual([])
    const together = begun()
    together.ask('n2', { kind: 'look', photo: 'p' }, UNKNOWN)
    expect(found(together)).toEqual(['availability: look #4 of p at n2, 0.1 s in: 404 ERR_PHOTO_NOT_FOUND'])
  })

  it('has 404 and 503 for a while where files were harmed, but no other error, and no wrong bytes', () => {
    const history = begun()
    history.node('n2', 'stopping')
    history.node('n2', 'damaged')
    history.node('n2', 'up')
    history.ask('n2', { kind: 'look', photo: 'p' }, UNKNOWN)
    history.ask('n2', { kind: 'fetch', photo: 'p' }, { outcome: 'indeterminate', status: 503 })
    expect(found(history)).toEqual([])
    expect(history.verdict().figures.excuses).toEqual({ 'its files had been harmed': 2 })
    history.ask('n2', { kind: 'list' }, { outcome: 'indeterminate', status: 500 })
    history.ask('n2', { kind: 'fetch', photo: 'p' }, { told: { byteCount: 100, sha256: 'other' } })
    expect(found(history).map(problem => problem.split(':')[0])).toEqual(['bytes', 'availability'])
    const late = begun()
    late.node('n2', 'damaged')
    late.node('n2', 'up')
    late.pass(16_000)
    late.ask('n2', { kind: 'look', photo: 'p' }, UNKNOWN)
    expect(found(late)).toHaveLength(1)
  })

  it('has 410 only for what somebody deletes', () => {
    const history = begun()
    history.ask('n1', { kind: 'look', photo: 'p' }, GONE)
    expect(found(history)).toEqual(['availability: look #4 of p at n1, 0.1 s in: 410 ERR_PHOTO_DELETED'])
  })
})

describe('a run that could not judge', () => {
  it('is unknown when it reached nothing of what it was to reach', () => {
    const history = begun()
    history.finally('p', finalOf('p'))
    const { plan } = history.verdict()
    const { result, obstacles } = judge(history.lines, plan, {
      deadlineMs: DEADLINE_MS,
      reaches: ['uploads', 'conflicts']
    })
    expect([result, ...obstacles]).toEqual(['unknown', 'nothing was reached of: conflicts'])
  })

  it('is unknown when the harness was late, died, or read nothing', () => {
    const history = begun()
    history.lines.push({ type: 'lag', atMs: 50, ms: 501 })
    const { plan } = history.verdict()
    const torn = history.lines.filter(line => line.type !== 'phase' || line.phase !== 'end')
    const { result, obstacles } = judge(torn, plan, { deadlineMs: DEADLINE_MS, reaches: [] })
    expect(result).toBe('unknown')
    expect(obstacles).toEqual([
      'the history has no end: the harness died',
      'nothing was read in the end',
      'the harness itself was 501 ms late'
    ])
  })
})

describe('a history', () => {
  it('is read back as it was written, but for a last line that was torn', () => {
    const { lines } = begun()
    const text = lines.map(line => `${JSON.stringify(line)}\n`).join('')
    expect(parseHistory(text)).toEqual(lines)
    expect(parseHistory(text.slice(0, -5))).toEqual(lines.slice(0, -1))
  })

  it('is refused where a line is none', () => {
    expect(() => parseHistory('')).toThrow('the file is empty')
    expect(() => parseHistory('{"type":"end"}\n')).toThrow('a history begins with its plan')
    expect(() => parseHistory('{"type":"run"}\nnonsense\n')).toThrow('line 2 is no line of a history: nonsense')
  })
})
