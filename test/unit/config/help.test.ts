import { expect, test } from 'vitest'
import { flagHints, settingsHelp, settingsMarkdown } from '../../../src/config/help.js'
import { SETTINGS, type SettingName, settingNames } from '../../../src/config/settings.js'

const ACTIVE = Object.keys(SETTINGS) as SettingName[]

test('the help has every setting, in lines of 80 characters, 90 with those above them', () => {
  const help = settingsHelp()
  for (const name of ACTIVE) expect(help).toMatch(new RegExp(`^ {2}${settingNames(name).flag}[ \n]`, 'm'))
  expect(help).toContain('--config FILE')
  const lines = help.split('\n')
  expect(lines.filter(line => line.length > 80)).toEqual([])
  expect(lines.length).toBeLessThanOrEqual(90 - 6) // six stand above them
})

test('the help says the rule by which variables are called, and names those that break it', () => {
  const help = settingsHelp()
  expect(help).toContain('SHEAF_MIN_COPIES for --min-copies')
  const named = ACTIVE.map(name => settingNames(name).environment).filter(variable => help.includes(`(${variable})`))
  expect(named).toEqual([
    'SHEAF_CLUSTER_KEY_FILE',
    'SHEAF_ARCHIVE_CREDENTIALS_FILE',
    'SHEAF_ARCHIVE_KEY_FILE',
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'OTEL_TRACES_SAMPLER_ARG'
  ])
})

test('defaults stand in brackets, and none is not said', () => {
  const help = settingsHelp()
  expect(help).toContain('port 0 picks one [127.0.0.1:8000]\n')
  expect(help).not.toContain('[none]')
})

test('settings that belong together stand together', () => {
  const groups = settingsHelp()
    .split(/\n(?=[A-Z][a-z, ]+\n {2}--)/)
    .slice(1)
  const flags = groups.map(group => (group.match(/^ {2}--[a-z0-9-]+/gm) ?? []).map(flag => flag.trim()))
  expect(flags.map(group => group[0])).toEqual([
    '--data',
    '--min-copies',
    '--p2p',
    '--archive-bucket',
    '--model',
    '--metrics'
  ])
  expect(flags[2]).toContain('--cluster-key')
})

test('the Markdown table has a row of four cells per setting', () => {
  const rows = settingsMarkdown().split('\n').slice(2)
  expect(rows).toHaveLength(ACTIVE.length + 1)
  for (const row of rows) expect(row.replaceAll('\\|', '').split('|')).toHaveLength(6)
  expect(rows).toContain(
    '| `--volume-bytes N` | `SHEAF_VOLUME_BYTES` | `1000000000` | volume capacity; rollover at 95 % |'
  )
})

test('hints for shells: values, words and paths', () => {
  const hints = new Map(flagHints().map(hint => [hint.flag, hint]))
  expect(hints.size).toBe(ACTIVE.length + 1)
  expect(hints.get('--require-cookie')).toMatchObject({ takesValue: false, path: false })
  expect(hints.get('--data')).toMatchObject({ takesValue: true, path: true })
  expect(hints.get('--log-level')?.words).toContain('debug')
})
