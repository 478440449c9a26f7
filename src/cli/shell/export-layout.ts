import { SheafError } from '../../core/errors.js'

/** What the parts of a layout may be; `{name}` is `{stem}{ext}`. */
export const LAYOUT_TOKENS = [
  'year',
  'month',
  'day',
  'hour',
  'camera',
  'album',
  'tag',
  'kind',
  'name',
  'stem',
  'ext',
  'id6'
] as const
export type LayoutToken = (typeof LAYOUT_TOKENS)[number]

/** A folder, or the file: texts and tokens in turn, beginning with a text. */
export type LayoutPart = readonly (string | { readonly token: LayoutToken })[]

/** Where exported photos lie. */
export interface ExportLayout {
  readonly folders: readonly LayoutPart[]
  readonly file: LayoutPart
  readonly tokens: ReadonlySet<LayoutToken>
}

const LENGTH_MAX = 500

/**
 * @param text - `{year}/{month}/{day}/{name}`: folders, then the file's name
 * @throws `ERR_USAGE` for an unknown token, a folder without a name or with one of dots, a file's name without `{name}` or `{stem}`
 */
export function parseLayout(text: string): ExportLayout {
  const wrong = (why: string): SheafError => new SheafError('ERR_USAGE', `--layout ${JSON.stringify(text)}: ${why}`)
  if (text.length > LENGTH_MAX) throw wrong(`it may have at most ${LENGTH_MAX} characters`)
  const tokens = new Set<LayoutToken>()
  const parts = text.split('/').map(segment => {
    if (/^\.*$/.test(segment)) throw wrong('each folder needs a name')
    return segment.split(/\{([^{}]*)\}/).map((piece, i) => {
      if (i % 2 === 0) {
        if (/[{}]/.test(piece)) throw wrong('a brace belongs to no token')
        return piece
      }
      const token = LAYOUT_TOKENS.find(one => one === piece)
      if (token === undefined) throw wrong(`there is no {${piece}}; there are {${LAYOUT_TOKENS.join('} {')}}`)
      tokens.add(token)
      return { token }
    })
  })
  const file = parts.at(-1) ?? []
  const isNamed = file.some(piece => typeof piece === 'object' && ['name', 'stem'].includes(piece.token))
  if (!isNamed) throw wrong('the last part is the name of the file: it needs {name} or {stem}')
  return { folders: parts.slice(0, -1), file, tokens }
}

export const DEFAULT_LAYOUT = '{year}/{month}/{day}/{name}'
