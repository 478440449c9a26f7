/** Control characters, and what stands for bytes that are not UTF-8: two secrets of such bytes could read alike. */
const NOT_TEXT = /[\p{Cc}\uFFFD]/u

/** Where a secret is read, and its faults are noted. */
export interface SecretSources {
  /** @throws when the file cannot be read */
  readonly readTextFile: (path: string) => string
  /** Notes what is wrong. */
  readonly fault: (where: string, value: string | undefined, problem: string) => void
}

/** @returns undefined after noting that the file cannot be read */
export function readSecret(where: string, path: string, { readTextFile, fault }: SecretSources): string | undefined {
  try {
    return readTextFile(path)
  } catch (err) {
    fault(where, path, `cannot be read: ${err instanceof Error ? err.message : String(err)}`)
    return undefined
  }
}

/** @returns its lines that are not empty, without the space around them, which no editor shows */
export function linesOf(secret: string): string[] {
  return secret.split('\n').flatMap(line => (line.trim() === '' ? [] : [line.trim()]))
}

/** @returns whether the line is text of at least so many characters */
export function isSecretLine(line: string, charactersMin: number): boolean {
  return line.length >= charactersMin && !NOT_TEXT.test(line)
}
