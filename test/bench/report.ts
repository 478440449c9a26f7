import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { dirname } from 'node:path'

export interface Target {
  /** E.g. `≥ 0.6`. */
  readonly text: string
  readonly met: (number: number) => boolean
}

/** One line of the table. */
export interface Measure {
  readonly name: string
  /** What was measured, with its unit. */
  readonly value: string
  /** The same as a number in base units (ratio, bytes, ms), for machines; null when it could not be measured. */
  readonly number: number | null
  /** What it must be; absent where nothing is promised. */
  readonly target?: Target
  /** How it was measured, or why not. */
  readonly note: string
  /** Raw numbers of each round. */
  readonly rounds?: unknown
}

export const atLeast = (bound: number): Target => ({ text: `≥ ${bound}`, met: number => number >= bound })
export const atMost = (bound: number, text = `≤ ${bound}`): Target => ({
  text,
  met: number => number <= bound
})

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly node: string
  readonly nginx: string
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    nginx: versionOf('nginx', ['-v'])
  }
}

/** @returns whether all targets that could be measured are met */
export function printReport(machine: Machine, measures: readonly Measure[]): boolean {
  const rows = [
    ['measure', 'value', 'target', 'met', 'how'],
    ...measures.map(one => [one.name, one.value, one.target?.text ?? '', verdict(one), one.note])
  ]
  const widths = [0, 1, 2, 3].map(column => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const print = (row: readonly string[]): void =>
    console.log(`| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`)
  const [head = [], ...body] = rows
  console.log(
    `\n${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB; Linux ${machine.kernel}; Node ${machine.node}; ${machine.nginx}\n`
  )
  print(head)
  console.log(`|${head.map((_, column) => '-'.repeat((widths[column] ?? 3) + 2)).join('|')}|`)
  for (const row of body) print(row)
  return measures.every(one => verdict(one) !== 'NO')
}

export function writeReport(path: string, machine: Machine, measures: readonly Measure[]): void {
  const results = measures.map(({ target, ...one }) => ({
    ...one,
    target: target?.text,
    met: verdict({ ...one, target })
  }))
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify({ at: new Date().toISOString(), machine, results }, undefined, 2)}\n`)
}

/** @returns a page for `docs/benchmarks`; what the figures mean is added by hand */
export function reportMarkdown(day: string, machine: Machine, measures: readonly Measure[]): string {
  const { cpu, cores, memoryBytes, kernel, node, nginx } = machine
  const gib = (memoryBytes / 2 ** 30).toFixed(0)
  const rows = measures.map(one => {
    const met = verdict(one) === 'NO' ? '**no**' : verdict(one)
    return `| ${one.name} | ${one.value} | ${one.target?.text ?? ''} | ${met} | ${one.note} |`
  })
  return `# ${day}

${cpu}, ${cores} cores, ${gib} GiB; Linux ${kernel}; Node ${node}; ${nginx}

| measure | value | target | met | how |
|---|---|---|---|---|
${rows.join('\n')}
`
}

function verdict({ target, number }: { readonly target?: Target | undefined; readonly number: number | null }): string {
  if (target === undefined) return ''
  if (number === null) return 'skipped'
  return target.met(number) ? 'yes' : 'NO'
}

/** @returns the first line of what the tool says about itself, or `none` when it is not installed */
export function versionOf(command: string, args: readonly string[]): string {
  try {
    const output = execFileSync('/bin/sh', ['-c', `${[command, ...args].join(' ')} 2>&1 || true`], { encoding: 'utf8' })
    return /not found/.test(output) ? 'none' : (output.split('\n')[0] ?? '').trim()
  } catch {
    return 'none'
  }
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low = Number.NaN, high = Number.NaN] = [sorted[(sorted.length - 1) >> 1], sorted[middle]]
  return (low + high) / 2
}
