import { expect, test } from 'vitest'
import { flagHints, settingsHelp, settingsMarkdown } from '../../../src/config/help.js'
import { SETTINGS, type SettingName, settingNames } from '../../../src/config/settings.js'

const ACTIVE = Object.keys(SETTINGS) as SettingName[]

test('the help has every setting with its flag, variable and default', () => {
  const help = settingsHelp()
  for (const name of ACTIVE) {
    const { flag, environment } = settingNames(name)
    expect(help).toMatch(new RegExp(`^ {2}${flag}[ \n]`, 'm'))
    expect(help).toMatch(new RegExp(`\\(${environment},\\s+default:\\s`))
  }
  expect(help).toContain('--config FILE')
  expect(
    Math.max(
      ...settingsHelp()
        .split('\n')
        .map(text => text.length)
    )
  ).toBeLessThanOrEqual(105)
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
