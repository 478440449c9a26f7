/*
 * The text that Prometheus scrapes, format 0.0.4. For each family:
 *
 *   # HELP name text          backslash and line feed escaped
 *   # TYPE name type
 *   name{label="value"} n     backslash, line feed and quotation mark escaped; a line for each series
 *
 * A histogram has a line `name_bucket` for each bound, cumulative, with the label `le`; then `name_sum` and `name_count`.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import type { FamilyReading, Histogram, Labels } from './metrics.js'

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** @returns the families as text */
export function exposition(families: readonly FamilyReading[]): string {
  const lines: string[] = []
  for (const { name, family, series } of families) {
    lines.push(`# HELP ${name} ${escaped(family.help)}`, `# TYPE ${name} ${family.type}`)
    for (const { labels, value } of series) {
      if (typeof value === 'number') lines.push(`${name}${labelText(labels)} ${numberText(value)}`)
      else lines.push(...histogramLines(name, labels, value))
    }
  }
  return `${lines.join('\n')}\n`
}

function* histogramLines(name: string, labels: Labels, { bounds, counts, sum }: Histogram): Generator<string> {
  let count = 0
  for (const [bucket, inBucket] of counts.entries()) {
    count += inBucket
    yield `${name}_bucket${labelText({ ...labels, le: numberText(bounds[bucket] ?? Number.POSITIVE_INFINITY) })} ${count}`
  }
  yield `${name}_sum${labelText(labels)} ${numberText(sum)}`
  yield `${name}_count${labelText(labels)} ${count}`
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value).replaceAll('"', '\\"')}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}
