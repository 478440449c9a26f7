import { InvalidArgumentError } from 'commander'
import type { CommandSet } from '../shell/command-set.js'
import { type ExitCode, printJson, type Session } from '../shell/session.js'
import { positiveInteger } from './options.js'
import { type CoverageJson, noteCoverage, printScored, type ScoredPhotoJson } from './scored-photos.js'

interface SearchOptions {
  readonly k: number
  readonly minScore?: number
  readonly tag?: string
}

interface SearchAnswer {
  readonly results: readonly ScoredPhotoJson[]
  readonly coverage: CoverageJson
}

export function addSearch(commands: CommandSet): void {
  commands
    .client('search <words...>', 'find photos that show what the words say')
    .option('-k <n>', 'how many', positiveInteger, 5)
    .option('--min-score <number>', 'only photos with this score or more, -1 to 1', score)
    .option('--tag <tag>', 'only photos with this tag')
    .action(commands.action(search))
}

async function search(session: Session, words: readonly string[], options: SearchOptions): Promise<ExitCode> {
  const { k, minScore, tag } = options
  const query = { q: words.join(' '), k, min_score: minScore, tag }
  const answer = await session.client.json<SearchAnswer>('/search', { query })
  if (session.json) await printJson(session, answer)
  else await printScored(session, answer.results)
  noteCoverage(session, answer.coverage)
  return 0
}

function score(text: string): number {
  const value = Number(text)
  if (!/^-?\d+(\.\d+)?$/.test(text) || Math.abs(value) > 1)
    throw new InvalidArgumentError('It must be a number from -1 to 1.')
  return value
}
