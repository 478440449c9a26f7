/*
 * How texts are compared: names, captions, tags, albums, cameras, and what people look for. One function for all of them, so
 * that what is written one way is found another way. Its results are only in the index, never in a record: another version of
 * Unicode may fold new characters otherwise.
 */

/** Distinct words of a text, the first ones. */
export const WORDS_MAX = 256
/** Characters of a word; the rest is cut off. */
export const WORD_CHARACTERS_MAX = 64

/** Marks in these scripts are accents; in others, e.g. of India, they are vowels. */
const ACCENTS = /([\p{sc=Latn}\p{sc=Grek}\p{sc=Cyrl}\p{sc=Hebr}\p{sc=Arab}])\p{Mn}+/gu
/** Letters that are no other letter with a mark, but are typed as one where they are not on the keyboard. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: 'ss',
  ı: 'i',
  ø: 'o',
  æ: 'ae',
  œ: 'oe',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ς: 'σ'
}
const LETTER = new RegExp(`[${Object.keys(LETTERS).join('')}]`, 'gu')
const ASCII = /^[\0-\x7f]*$/

/** Written without spaces between words. */
const UNSPACED_LETTER = String.raw`[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Bopo}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmr}\p{sc=Mymr}ー]`
const UNSPACED = new RegExp(UNSPACED_LETTER, 'u')
const PART = new RegExp(String.raw`(?:${UNSPACED_LETTER}\p{M}*)+|(?:(?!${UNSPACED_LETTER}).)+`, 'gu')
const CHARACTER = /\P{M}\p{M}*|\p{M}+/gu
const PICTURE = String.raw`\p{Extended_Pictographic}\p{Emoji_Modifier}?`
const WORD = new RegExp(String.raw`\p{RI}\p{RI}|${PICTURE}(?:\u200d${PICTURE})*|[0-9#*]\u20e3|[\p{L}\p{M}\p{N}]+`, 'gu')
const VARIATION_SELECTORS = /[\ufe00-\ufe0f]/gu

/** @returns what is equal for texts that differ in case, accents, width or form of their letters */
export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase()
  return text
    .normalize('NFKD')
    .replace(ACCENTS, '$1')
    .toLowerCase()
    .replace(LETTER, letter => LETTERS[letter] ?? letter)
    .normalize('NFC')
}

/**
 * Words are letters, marks and digits; an emoji is one. Of what is written without spaces, each two characters are, and the
 * last one: so whatever part of it is looked for, there are words that begin with its own.
 *
 * @returns the first distinct words of a text, folded
 */
export function wordsOf(text: string): string[] {
  const words = new Set<string>()
  for (const word of split(text, true)) {
    if (words.size === WORDS_MAX) break
    words.add(word)
  }
  return [...words]
}

/**
 * @param sought - what somebody looks for
 * @returns prefixes: what is found has a word for each
 */
export function prefixesOf(sought: string): string[] {
  const words = [...new Set(split(sought, false))]
  return words.filter(word => !words.some(other => other !== word && other.startsWith(word)))
}

/** @param withEnds - also the last character of what is written without spaces, where it is not the only one */
function* split(text: string, withEnds: boolean): Generator<string> {
  for (const [run] of foldText(text).replace(VARIATION_SELECTORS, '').matchAll(WORD)) {
    const words = UNSPACED.test(run) ? pairsOf(run, withEnds) : [run]
    for (const word of words)
      yield word.length <= WORD_CHARACTERS_MAX ? word : [...word].slice(0, WORD_CHARACTERS_MAX).join('')
  }
}

/** @returns what is written with spaces as it is, the rest in pairs of characters, with the marks on them */
function* pairsOf(run: string, withEnds: boolean): Generator<string> {
  for (const [part] of run.matchAll(PART)) {
    const characters = UNSPACED.test(part) ? (part.match(CHARACTER) ?? []) : []
    if (characters.length === 0) yield part
    for (const [i, character] of characters.entries()) {
      const next = characters[i + 1]
      if (next !== undefined) yield character + next
      else if (withEnds || i === 0) yield character
    }
  }
}
