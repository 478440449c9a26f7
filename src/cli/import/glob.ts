/**
 * @param glob - `*` and `?` stand for characters of a name, `**` for any folders; without a slash it is held against names, with one
 * against paths inside the folder that is imported
 */
export function globMatcher(glob: string): (path: string) => boolean {
  const pattern = glob.normalize('NFC').replace(/\*\*\/|\*\*|\*|\?|[.+^${}()|[\]\\]/g, part => {
    if (part === '**/') return '(?:.*/)?'
    if (part === '**') return '.*'
    if (part === '*') return '[^/]*'
    return part === '?' ? '[^/]' : `\\${part}`
  })
  const whole = new RegExp(`^${pattern}$`, 'su')
  const isName = !glob.includes('/')
  return path => whole.test(isName ? (path.split('/').at(-1) ?? '') : path)
}
