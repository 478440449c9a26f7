import type { Latency } from './figures.js'
import { type Line, linesOf } from './history.js'
import type { Verdict } from './judge.js'
import { commandOf, judgeCommand, replayCommand, titleOf } from './plan.js'
import { NOT_RUNNING, STANDING_STILL, STOPPED, Timeline } from './timeline.js'

/** As many of each checker; the rest stands in the verdict. */
const PROBLEMS_MAX = 20
const WIDTH = 1_000
const ROW = 26
const LEFT = 120
/** Slices of time in which operations are counted. */
const SLICES = 200

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem } h2 { font-size: 1.05rem; margin-top: 2rem }
.pass { color: #1a7f37 } .fail { color: #cf222e } .unknown { color: #9a6700 }
table { border-collapse: collapse } th, td { padding: .15rem .8rem .15rem 0; text-align: left; font-variant-numeric: tabular-nums }
th { font-weight: 600 } code, pre { font: 13px/1.4 ui-monospace, monospace } pre { overflow-x: auto; padding: .6rem; background: #8881 }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif } svg text { fill: currentColor }
li { overflow-wrap: anywhere }
`

/**
 * @param path - of the history
 * @returns one self-contained page: what was done to whom and when, how it was served, and what was wrong
 */
export function reportPage(verdict: Verdict, lines: readonly Line[], path: string): string {
  const { plan, result, problems, obstacles, figures } = verdict
  const isReplay = linesOf(lines, 'run').some(run => run.isReplay)
  const { outcomes, convergenceMs } = figures
  const facts: readonly (readonly [string, string | number])[] = [
    ['operations', `${figures.operations}, ${figures.operationsPerSecond} a second`],
    ['ok, failed, indeterminate', `${outcomes.ok}, ${outcomes.failed}, ${outcomes.indeterminate}`],
    ['photos read in the end, over all nodes', figures.photosRead],
    ['all agree after the last fault', convergenceMs === undefined ? 'they do not' : `${convergenceMs / 1_000} s`],
    ['faults', pairs(figures.faults)],
    ['reached', pairs(figures.reached)],
    ['excused', pairs(figures.excuses)],
    ['greatest delay of the harness', `${figures.lagMsMax} ms`]
  ]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(`${result}: ${titleOf(plan)}`)}</title><style>${STYLE}</style></head><body>
<h1><span class="${result}">${result}</span> · ${escaped(titleOf(plan))}</h1>
${list('What was wrong', problemLines(verdict))}
${list('Why it could not be judged', obstacles)}
<h2>Time line</h2>
${timeLine(plan.nodes, lines)}
<h2>Figures</h2>
<table>${facts.map(([name, value]) => `<tr><th>${escaped(name)}</th><td>${escaped(String(value))}</td></tr>`).join('')}</table>
<h2>Service</h2>
<table><tr><th>phase</th><th>node</th><th>served</th><th>excused</th><th>refused</th><th>p50</th><th>p99</th><th>max</th></tr>
${figures.service
  .map(({ phase, node, served, excused, refused, latency }) => {
    const cells = [phase, node, served, excused, refused, ...latencyCells(latency)]
    return `<tr>${cells.map(cell => `<td>${escaped(String(cell))}</td>`).join('')}</tr>`
  })
  .join('\n')}</table>
<h2>Again</h2>
<p>The same history, judged again: always the same verdict.</p><pre>${escaped(judgeCommand(path))}</pre>
<p>The same operations and faults at the same times, not the same interleaving:</p><pre>${escaped(replayCommand(path))}</pre>
${isReplay ? '' : `<p>A run like it: the same draws, on what is known by then:</p><pre>${escaped(commandOf(plan))}</pre>`}
${problems.length === 0 ? '' : '<p>The logs of the nodes lie beside this page.</p>'}
</body></html>
`
}

/** @returns the first problems of each checker, and how many there are */
export function problemLines({ problems }: Pick<Verdict, 'problems'>): string[] {
  const checkers = [...new Set(problems.map(({ checker }) => checker))]
  return checkers.flatMap(checker => {
    const found = problems.filter(problem => problem.checker === checker)
    const rest = found.length - PROBLEMS_MAX
    const lines = found.slice(0, PROBLEMS_MAX).map(({ what }) => `${checker}: ${what}`)
    return rest > 0 ? [...lines, `${checker}: and ${rest} more`] : lines
  })
}

/** A row for each node: bars of operations, red where they failed; grey where it did not run; below, the faults. */
function timeLine(nodes: number, lines: readonly Line[]): string {
  const timeline = new Timeline(lines)
  const endMs = Math.max(1, ...lines.flatMap(line => ('atMs' in line ? [line.atMs] : [])))
  const x = (ms: number): number => Math.round((LEFT + (Math.min(ms, endMs) / endMs) * (WIDTH - LEFT)) * 10) / 10
  const faults = linesOf(lines, 'fault')
  const nemeses = [...new Set(faults.map(({ nemesis }) => nemesis))]
  const rowOf = (i: number): number => 20 + i * ROW
  const parts: string[] = []
  for (const { phase, atMs } of linesOf(lines, 'phase'))
    parts.push(
      `<line x1="${x(atMs)}" x2="${x(atMs)}" y1="12" y2="${rowOf(nodes + nemeses.length)}" stroke="#8888"/><text x="${x(atMs) + 2}" y="10">${phase}</text>`
    )
  for (let i = 0; i < nodes; i++) {
    const node = `n${i + 1}`
    parts.push(`<text x="0" y="${rowOf(i) + 16}">${node}</text>`)
    for (const what of [NOT_RUNNING, STOPPED, STANDING_STILL]) {
      for (const { from, to } of timeline.troubles(what).filter(trouble => trouble.node === node))
        parts.push(
          `<rect x="${x(from)}" y="${rowOf(i)}" width="${Math.max(1, x(to) - x(from))}" height="${ROW - 4}" fill="${what === STANDING_STILL ? '#d4a72c66' : '#8886'}"><title>${what}</title></rect>`
        )
    }
    parts.push(
      bars(
        timeline.operations.filter(operation => operation.node === node),
        endMs,
        x,
        rowOf(i)
      )
    )
  }
  for (const [i, nemesis] of nemeses.entries()) {
    const y = rowOf(nodes + i)
    parts.push(`<text x="0" y="${y + 16}">${escaped(nemesis)}</text>`)
    for (const begun of faults.filter(fault => fault.nemesis === nemesis && fault.state === 'begins')) {
      const end = faults.find(fault => fault.nemesis === nemesis && fault.state === 'ends' && fault.atMs >= begun.atMs)
      const width = Math.max(1, x(end?.atMs ?? endMs) - x(begun.atMs))
      parts.push(
        `<rect x="${x(begun.atMs)}" y="${y + 4}" width="${width}" height="${ROW - 12}" fill="#8250df88"><title>${escaped(begun.what)}</title></rect>`
      )
    }
  }
  const height = rowOf(nodes + nemeses.length) + 18
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="operations and faults over ${Math.round(endMs / 1_000)} seconds">${parts.join('')}<text x="${WIDTH - 40}" y="${height - 4}">${Math.round(endMs / 1_000)} s</text></svg>`
}

function bars(operations: Timeline['operations'], endMs: number, x: (ms: number) => number, top: number): string {
  const width = endMs / SLICES
  const slices = Array.from({ length: SLICES }, () => ({ ok: 0, bad: 0 }))
  for (const { beganMs, end } of operations) {
    const slice = slices[Math.min(SLICES - 1, Math.floor(beganMs / width))]
    if (slice === undefined) continue
    if (end?.outcome === 'indeterminate' || end === undefined) slice.bad++
    else slice.ok++
  }
  const most = Math.max(1, ...slices.map(({ ok, bad }) => ok + bad))
  const height = (count: number): number => Math.round((count / most) * (ROW - 4) * 10) / 10
  return slices
    .map(({ ok, bad }, i) => {
      if (ok + bad === 0) return ''
      const [left, wide, base] = [x(i * width), x((i + 1) * width) - x(i * width), top + ROW - 4]
      const bar = (y: number, count: number, fill: string): string =>
        count === 0 ? '' : `<rect x="${left}" y="${y}" width="${wide}" height="${height(count)}" fill="${fill}"/>`
      return bar(base - height(ok), ok, '#1a7f37') + bar(base - height(ok) - height(bad), bad, '#cf222e')
    })
    .join('')
}

function latencyCells(latency: Latency | undefined): string[] {
  if (latency === undefined) return ['', '', '']
  return [latency.p50Ms, latency.p99Ms, latency.maxMs].map(ms => `${Math.round(ms)} ms`)
}

function list(title: string, items: readonly string[]): string {
  if (items.length === 0) return ''
  return `<h2>${title}</h2><ul>${items.map(item => `<li>${escaped(item)}</li>`).join('')}</ul>`
}

function pairs(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts)
  return entries.length === 0 ? 'none' : entries.map(([name, count]) => `${name} ${count}`).join(', ')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
