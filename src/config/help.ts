import { CONFIG_FILE, SETTINGS, type Setting, type SettingName, settingNames } from './settings.js'

interface Row {
  readonly flag: string
  readonly environment: string
  readonly setting: Setting<unknown>
}

const COLUMNS = 100

/** @returns the help of `sheaf start`: every setting with its flag, environment variable, default and meaning */
export function settingsHelp(): string {
  return [
    'Every setting is read from its flag, else its environment variable, else --config FILE, else its default.',
    '',
    'Settings:',
    ...[...activeRows(), configFileRow()].flatMap(helpLines),
    ''
  ].join('\n')
}

/** @returns the same as a Markdown table, for docs/reference/settings.md */
export function settingsMarkdown(): string {
  const line = (row: Row): string => {
    const { flag, environment, setting } = row
    const cells = [`\`${usage(flag, setting)}\``, `\`${environment}\``, defaultText(setting, '`'), setting.meaning]
    return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  }
  return [
    '| flag | environment | default | meaning |',
    '|---|---|---|---|',
    ...[...activeRows(), configFileRow()].map(line)
  ].join('\n')
}

/** What a shell needs to complete the flags. */
export function flagHints() {
  return [...activeRows(), configFileRow()].map(({ flag, setting }) => ({
    flag,
    meaning: setting.meaning,
    takesValue: setting.placeholder !== undefined,
    words: setting.kind.words ?? [],
    path: setting.placeholder === 'DIR' || setting.placeholder === 'FILE'
  }))
}

function activeRows(): readonly Row[] {
  return rows(SETTINGS)
}

function configFileRow(): Row {
  return { ...CONFIG_FILE.names, setting: CONFIG_FILE }
}

function rows(settings: Partial<Record<SettingName, Setting<unknown>>>): readonly Row[] {
  return Object.entries(settings).map(([name, setting]) => ({ ...settingNames(name as SettingName), setting }))
}

function usage(flag: string, setting: Setting<unknown>): string {
  return setting.placeholder === undefined ? flag : `${flag} ${setting.placeholder}`
}

function helpLines({ flag, environment, setting }: Row): string[] {
  const notes =
    setting.default === undefined && setting.defaultShown === undefined ? '' : `, default: ${defaultText(setting, '')}`
  const left = `  ${usage(flag, setting)}`.padEnd(28)
  const indent = ' '.repeat(28)
  return wrap(`${setting.meaning} (${environment}${notes})`, COLUMNS - indent.length).map(
    (text, index) => (index === 0 ? left : indent) + text
  )
}

function defaultText(setting: Setting<unknown>, quote: string): string {
  if (setting.default !== undefined) return `${quote}${setting.default}${quote}`
  return setting.defaultShown ?? ''
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
