import { CONFIG_FILE, SETTINGS, type Setting, type SettingName, settingNames } from './settings.js'

interface Row {
  /** Undefined for the configuration file, which is no setting itself. */
  readonly name: SettingName | undefined
  readonly flag: string
  readonly environment: string
  readonly setting: Setting<unknown>
}

const COLUMNS = 80
/** Where the meanings of the settings begin. */
const INDENT = 26

/** The settings by what they are about, in the order of {@link SETTINGS}: each group begins at the setting named. */
const GROUPS: ReadonlyMap<SettingName, string> = new Map([
  ['data', 'The node'],
  ['minCopies', 'Photos'],
  ['p2p', 'The cluster'],
  ['archiveBucket', 'Archive'],
  ['model', 'Search'],
  ['metrics', 'Metrics, traces, log and file of settings']
])

/** @returns the help of `sheaf start`: every setting with its flag, default and meaning, and how the environment names it */
export function settingsHelp(): string {
  const rule =
    'Each flag has a variable, such as SHEAF_MIN_COPIES for --min-copies. A flag counts first, then its variable, then --config. Defaults stand in brackets.'
  const lines = settingRows().flatMap(row => {
    const group = row.name && GROUPS.get(row.name)
    return [...(group === undefined ? [] : [group]), ...helpLines(row)]
  })
  return [...wrap(rule, COLUMNS), ...lines, ...helpLines(configFileRow())].join('\n')
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
    ...[...settingRows(), configFileRow()].map(line)
  ].join('\n')
}

/** @returns what a shell needs to complete the flags, one hint per setting; the CLI's `FlagHint` */
export function flagHints() {
  return [...settingRows(), configFileRow()].map(({ flag, setting }) => ({
    flag,
    meaning: setting.meaning,
    takesValue: setting.placeholder !== undefined,
    words: setting.kind.words ?? [],
    path: setting.placeholder === 'DIR' || setting.placeholder === 'FILE'
  }))
}

function settingRows(): readonly Row[] {
  const names = Object.keys(SETTINGS) as SettingName[]
  return names.map(name => ({ name, ...settingNames(name), setting: SETTINGS[name] }))
}

function configFileRow(): Row {
  return { name: undefined, ...CONFIG_FILE.names, setting: CONFIG_FILE }
}

function usage(flag: string, setting: Setting<unknown>): string {
  return setting.placeholder === undefined ? flag : `${flag} ${setting.placeholder}`
}

function helpLines({ flag, environment, setting }: Row): string[] {
  const isUsual = environment === `SHEAF_${flag.slice(2).replaceAll('-', '_').toUpperCase()}`
  const standard = defaultText(setting, '').replaceAll('`', '')
  const notes = [isUsual ? '' : ` (${environment})`, standard === '' || standard === 'none' ? '' : ` [${standard}]`]
  const text = setting.meaning + notes.join('')
  const left = `  ${usage(flag, setting)}`.padEnd(INDENT)
  const lines = wrap(text, COLUMNS - INDENT)
  if (left.length > INDENT) return [left, ...lines.map(line => ' '.repeat(INDENT) + line)]
  return lines.map((line, index) => (index === 0 ? left : ' '.repeat(INDENT)) + line)
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
