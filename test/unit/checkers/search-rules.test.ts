import { describe, expect, it } from 'vitest'
import { judgeCoverage, judgeIndex } from '../../checkers/search-rules.js'

describe('an answer that says that it is of all', () => {
  it('has what was found before', () => {
    expect(judgeCoverage({ photos: ['p', 'q'], coverage: 1 }, ['p'])).toEqual([])
    expect(judgeCoverage({ photos: ['q'], coverage: 1 }, ['p'])).toEqual([
      'it says that it is of all, and lacks p, which was found before'
    ])
  })

  it('is another thing than one that says that it is not', () => {
    expect(judgeCoverage({ photos: [], coverage: 63 / 64 }, ['p'])).toEqual([])
  })
})

describe('the index, when all is quiet', () => {
  it('is what lives', () => {
    expect(judgeIndex({ photos: ['q', 'p'], coverage: 1 }, ['p', 'q'])).toEqual([])
    expect(judgeIndex({ photos: ['q'], coverage: 1 }, ['p'])).toEqual([
      'it does not find p, which lives',
      'it finds q, which does not live'
    ])
  })

  it('is whole, and answers', () => {
    expect(judgeIndex({ photos: ['p'], coverage: 0.5 }, ['p'])).toEqual([
      'it still says that it searches 0.5 of the index'
    ])
    expect(judgeIndex(undefined, [])).toEqual(['it does not answer searches'])
  })
})
