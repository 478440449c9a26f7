import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { METRICS, type MetricFamily } from '../../../src/core/metric-families.js'
import { brokenReferences } from '../../support/docs/links.js'
import { REPOSITORY } from '../../support/node-process.js'

const FOLDER = `${REPOSITORY}docker/observability/`
const ALERTS = readText('alerts.yml')
const ALERT_TESTS = readText('alerts.test.yml')
const ALERT_NAMES = Array.from(ALERTS.matchAll(/- alert: (\w+)/g), ([, name = '']) => name)
/** Labels that Prometheus or a histogram adds. */
const ADDED_LABELS = ['instance', 'job', 'le']

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly expr: string }[]
}

const dashboard = JSON.parse(readText('grafana/dashboards/sheaf.json')) as {
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly query: { readonly query: string } }[] }
}

function readText(name: string): string {
  return readFileSync(FOLDER + name, 'utf8')
}

/** @returns what a query names that no node has */
function unknownIn(query: string): string[] {
  const names = query.match(/\bsheaf_[a-z_]+/g) ?? []
  const labelled = [...query.matchAll(/\b(sheaf_[a-z_]+)\{([^}]*)\}/g)]
  const labels = labelled.flatMap(([, name = '', matchers = '']) => {
    const used = Array.from(matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g), ([, label = '']) => label)
    const known: readonly string[] = [...ADDED_LABELS, ...(familyOf(name)?.labels ?? [])]
    return used.filter(label => !known.includes(label)).map(label => `${name}{${label}}`)
  })
  return [...names.filter(name => familyOf(name) === undefined), ...labels]
}

/** @returns the family of a series: those of a histogram have suffixes, and no series has its bare name */
function familyOf(series: string): MetricFamily | undefined {
  const families: Readonly<Record<string, MetricFamily>> = METRICS
  const base = series.replace(/_(bucket|sum|count)$/, '')
  const family = families[series]
  if (family !== undefined) return family.type === 'histogram' ? undefined : family
  return families[base]?.type === 'histogram' ? families[base] : undefined
}

function promtool(...args: readonly string[]): { readonly status: number | null; readonly text: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: FOLDER, encoding: 'utf8' })
  return { status, text: `${stdout}${stderr}` }
}

test('the check of names finds what no node has', () => {
  expect(unknownIn('sheaf_photos + sheaf_nonsense')).toEqual(['sheaf_nonsense'])
  expect(unknownIn('rate(sheaf_sync_duration_seconds[1m])')).toEqual(['sheaf_sync_duration_seconds'])
  expect(unknownIn('rate(sheaf_sync_duration_seconds_count{instance="a"}[1m])')).toEqual([])
  expect(unknownIn('sheaf_members{status="alive"}')).toEqual(['sheaf_members{status}'])
})

describe('alerts', () => {
  test('ask for metrics that a node has', () => {
    expect(ALERT_NAMES.length).toBeGreaterThan(10)
    expect(unknownIn(ALERTS)).toEqual([])
    expect(unknownIn(ALERT_TESTS)).toEqual([])
  })

  test('say what it is, what to do, and which entry of the run-book tells more', () => {
    const rules = ALERTS.split('- alert: ').slice(1)
    for (const rule of rules) {
      expect(rule).toMatch(/\n +for: \d+[mh]\n/)
      expect(rule).toMatch(/\n +labels: \{ severity: (critical|warning) \}\n/)
      expect(rule).toMatch(/\n +summary: '.+'\n +action: ['"].+['"]\n +runbook: docs\/operations\.md#\S+\n/)
      const runbook = /runbook: (\S+)/.exec(rule)?.[1]
      expect(brokenReferences('README.md', `[run-book](${runbook})`)).toEqual([])
    }
  })

  test('stand in docs/operations.md, each with its entry', () => {
    const operations = readFileSync(`${REPOSITORY}docs/operations.md`, 'utf8')
    for (const rule of ALERTS.split('- alert: ').slice(1)) {
      const [name] = /^\w+/.exec(rule) ?? []
      const anchor = /runbook: docs\/operations\.md(#\S+)/.exec(rule)?.[1]
      expect(operations).toMatch(new RegExp(`^\\| \`${name}\` \\| .+\\(${anchor}\\) \\|$`, 'm'))
    }
    const listed = Array.from(operations.matchAll(/^\| `(Sheaf\w+)` \|/gm), ([, name = '']) => name)
    expect(listed).toEqual(ALERT_NAMES)
  })

  test('each is tried before and after its time', () => {
    for (const name of ALERT_NAMES) {
      expect(ALERT_TESTS).toContain(`alertname: ${name}, exp_alerts: [] }`)
      expect(ALERT_TESTS).toContain(`alertname: ${name}\n        exp_alerts:\n          - exp_labels:`)
    }
  })

  test('promtool takes rules and configuration, and the alerts fire when they are to', context => {
    if (promtool('--version').status !== 0) {
      console.warn('PROMTOOL IS NOT INSTALLED (Debian: apt-get install prometheus): THE ALERTS HAVE NOT BEEN TRIED')
      context.skip()
    }
    for (const args of [
      ['check', 'rules', '--lint=all', '--lint-fatal', 'alerts.yml'],
      ['check', 'config', 'prometheus.yml'],
      ['test', 'rules', 'alerts.test.yml']
    ]) {
      const { status, text } = promtool(...args)
      expect(status, text).toBe(0)
    }
  })
})

describe('the dashboard', () => {
  const shown = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

  test('asks for metrics that a node has', () => {
    const variables = dashboard.templating.list.map(({ query }) => query.query)
    expect(shown.length).toBeGreaterThan(40)
    for (const expr of [...shown, ...variables]) expect(unknownIn(expr), expr).toEqual([])
  })

  test('shows every metric, but for a few', () => {
    const text = shown.join('\n')
    const missing = Object.keys(METRICS).filter(name => !new RegExp(`\\b${name}(_bucket|_sum|_count)?\\b`).test(text))
    expect(missing).toEqual([
      'sheaf_rpc_request_duration_seconds',
      'sheaf_member_up',
      'sheaf_member_info',
      'sheaf_volume_needles',
      'sheaf_scrape_faults_total'
    ])
  })

  test('has panels that do not overlap, with the data source that is provisioned', () => {
    const { panels } = dashboard
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const [i, { gridPos: a }] of panels.entries()) {
      expect(a.x + a.w).toBeLessThanOrEqual(24)
      for (const { gridPos: b, title } of panels.slice(i + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
        expect(apart, title).toBe(true)
      }
    }
    const uid = /uid: (\S+)/.exec(readText('grafana/provisioning/datasources/prometheus.yml'))?.[1]
    for (const { type, datasource } of panels) if (type !== 'row') expect(datasource?.uid).toBe(uid)
    expect(readText('grafana/provisioning/dashboards/sheaf.yml')).toContain('path: /var/lib/grafana/dashboards\n')
  })
})
