import { readFileSync } from 'node:fs'

const REPOSITORY = new URL('../../../', import.meta.url)

const PATH = 'docs/formats.md'

interface Chapter {
  readonly title: string
  readonly introduction: string
  /** Sources whose heads are the specification, in the order of reading. */
  readonly sources: readonly { readonly title: string; readonly path: string }[]
}

const INTRODUCTION = `# Formats on disk

The byte tables of everything that a node writes and reads again. They are the comments at the heads of the source files
named above each, taken over word for word by \`npm run docs\`; a test fails when the two differ. So change the head of the
source, not this page. [architecture.md](architecture.md#the-data-folder) says which file of the data folder is in which
format, and [protocol.md](protocol.md) has what goes over the network.

A record of a newer format is kept and hidden, a volume of one is left alone; a directory of one keeps the node from
starting, with \`ERR_FORMAT_TOO_NEW\`. Caches (index files, saved
vectors) of another format are made again. Old formats stay as fixtures in \`test/fixtures/formats\`, which today's code
must read.`

const CHAPTERS: readonly Chapter[] = [
  {
    title: 'Volumes',
    introduction: `A volume file is a superblock, then needles one after the other. The index file beside it is a cache.`,
    sources: [
      { title: 'Superblock', path: 'src/domain/superblock.ts' },
      { title: 'Needle', path: 'src/domain/needle.ts' },
      { title: 'Index file', path: 'src/volumes/index-file.ts' }
    ]
  },
  {
    title: 'Records',
    introduction: `The data of a record needle, the value of a record row in the directory, and what peers send each other.`,
    sources: [
      { title: 'Identities', path: 'src/domain/ids.ts' },
      { title: 'Canonical CBOR', path: 'src/domain/cbor.ts' },
      { title: 'Record', path: 'src/domain/record-codec.ts' },
      { title: 'Graves', path: 'src/domain/graves.ts' },
      { title: 'The fields of a photo', path: 'src/domain/photo.ts' },
      { title: 'The fields of an album', path: 'src/domain/album.ts' },
      { title: 'The fields of an account', path: 'src/domain/user.ts' },
      { title: 'What an account may do', path: 'src/domain/access.ts' },
      { title: 'To whom an album is open', path: 'src/domain/acl.ts' },
      { title: 'The fields of a group of people', path: 'src/domain/people-group.ts' },
      { title: 'The fields of a session', path: 'src/domain/session-record.ts' },
      { title: 'The fields of an API key', path: 'src/domain/api-key.ts' },
      { title: 'The settings of the cluster', path: 'src/domain/settings-record.ts' },
      { title: 'What the head of a file says', path: 'src/domain/photo-facts.ts' },
      { title: 'What was found out about a photo', path: 'src/domain/findings.ts' }
    ]
  },
  {
    title: 'Directory',
    introduction: `Rows of the LevelDB in \`data/directory\`. It can be removed: the next start makes it again from the volumes.`,
    sources: [
      { title: 'Rows', path: 'src/directory/keys.ts' },
      { title: 'Terms', path: 'src/domain/terms.ts' },
      { title: 'Merkle tree', path: 'src/domain/merkle.ts' },
      { title: 'Cursor of a list', path: 'src/directory/cursor.ts' }
    ]
  },
  {
    title: 'What was laid out',
    introduction: `The file \`data/laid-out\`: what graves have ended on this node before its time.`,
    sources: [{ title: 'Frames', path: 'src/store/laid-out-file.ts' }]
  },
  {
    title: 'Vectors',
    introduction: `Features are the data of one needle for each photo and model. The other two are a cache in \`data/similarity\`.`,
    sources: [
      { title: 'Features', path: 'src/domain/features.ts' },
      { title: 'Saved index', path: 'src/similarity/index/saved-index.ts' },
      { title: 'Label rows', path: 'src/similarity/index/label-table.ts' }
    ]
  },
  {
    title: 'Archive and backup',
    introduction: `What lies in an object store or a folder when volumes are archived or a node is backed up.`,
    sources: [
      { title: 'Volumes as objects', path: 'src/archive/archived-volume.ts' },
      { title: 'Backup of a node', path: 'src/archive/node-backup.ts' },
      { title: 'Sealed object', path: 'src/archive/sealed-object.ts' }
    ]
  }
]

/** Sources whose heads the document shows. */
export const FORMAT_SOURCES: readonly string[] = CHAPTERS.flatMap(({ sources }) => sources.map(({ path }) => path))

/** @returns where the document of all disk formats belongs, from the root of the repository, and what it should say */
export function generatedFormats(): { readonly path: string; readonly text: string } {
  return { path: PATH, text: formatsDocument(path => readFileSync(new URL(path, REPOSITORY), 'utf8')) }
}

/**
 * @param readSource - text of a source file by its path from the root of the repository
 * @returns the document, in Markdown
 */
export function formatsDocument(readSource: (path: string) => string): string {
  const chapters = CHAPTERS.map(({ title, introduction, sources }) => {
    const sections = sources.map(({ title: name, path }) => {
      return `### ${name}\n\n\`${path}\`\n\n${toMarkdown(headOf(readSource(path), path))}`
    })
    return [`## ${title}`, introduction, ...sections].join('\n\n')
  })
  return `${[INTRODUCTION, ...chapters].join('\n\n')}\n`
}

/**
 * @returns the first block comment of a source that stands at the margin and is no docstring, without its stars
 * @throws when the source has none
 */
export function headOf(source: string, path: string): string {
  const comment = /^\/\*\n([\s\S]*?)\n \*\/$/m.exec(source)?.[1]
  if (comment === undefined) throw new Error(`${path} has no comment at its head`)
  return comment
    .split('\n')
    .map(line => line.replace(/^ \* ?/, ''))
    .join('\n')
}

/** Paragraphs that are indented throughout are tables and stay as they are; the others become text. */
function toMarkdown(head: string): string {
  const blocks: { readonly isTable: boolean; text: string }[] = []
  for (const text of head.split(/\n{2,}/)) {
    const isTable = text.split('\n').every(line => line.startsWith('  '))
    const last = blocks.at(-1)
    if (isTable && last?.isTable === true) last.text += `\n\n${text}`
    else blocks.push({ isTable, text })
  }
  return blocks.map(({ isTable, text }) => (isTable ? `\`\`\`text\n${text}\n\`\`\`` : escaped(text))).join('\n\n')
}

/** Nothing in a comment is meant as Markdown but what stands in backticks. */
function escaped(text: string): string {
  const parts = text.split('`')
  return parts.map((part, i) => (i % 2 === 1 ? part : part.replace(/[*_<>[\]]/g, '\\$&'))).join('`')
}
