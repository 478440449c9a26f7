import { Readable, Writable } from 'node:stream'
import { runCli } from '../../../src/cli/cli.js'
import { flagHints, settingsHelp } from '../../../src/config/help.js'
import { systemClock } from '../../../src/core/clock.js'
import { systemRandom } from '../../../src/core/random.js'

const COLUMNS = 100

/** @returns a document with the help of every command, as the command prints it */
export async function cliReference(): Promise<string> {
  const overview = await helpOf([])
  const sections: string[] = []
  for (const name of overviewNames(overview)) sections.push(...(await sectionsOf([name])))
  return `# Commands

\`sheaf start\` runs a node. Every other command is a client that talks to a node over HTTP, except \`models\`, \`keygen\`,
\`version\`, \`completion\` and \`restore\`, which need none. Options come after the command. In a checkout, type \`npx sheaf\`.

${block(overview)}
${sections.join('\n')}`
}

async function sectionsOf(command: readonly string[]): Promise<string[]> {
  const help = await helpOf(command)
  const sections = [`## sheaf ${command.join(' ')}\n\n${block(help)}`]
  for (const name of commandNames(help)) sections.push(...(await sectionsOf([...command, name])))
  return sections
}

async function helpOf(command: readonly string[]): Promise<string> {
  let help = ''
  const sink = new Writable({
    write: (piece: Buffer, _encoding, done) => {
      help += piece.toString()
      done()
    }
  })
  const output = Object.assign(sink, { columns: COLUMNS })
  const components = {
    clock: systemClock,
    random: systemRandom,
    stdin: () => Readable.from([]),
    stdout: output,
    stderr: output,
    environment: {},
    signal: new AbortController().signal
  }
  const start = { flags: flagHints(), help: settingsHelp, run: async () => 0 as const }
  const openFolder = () => Promise.reject(new Error('help opens no folder'))
  const code = await runCli([...command, '--help'], components, {
    version: '',
    start,
    openFolder,
    restoreBackup: openFolder
  })
  if (code !== 0) throw new Error(`sheaf ${command.join(' ')} --help ended with ${code}:\n${help}`)
  return help
}

/** @returns the commands of the overview: several may share a line, each with its arguments behind it */
function overviewNames(overview: string): string[] {
  const lines = overview
    .split('\n')
    .flatMap(line => /^ {2}(.+?)(?: {2}|$)/.exec(line)?.[1] ?? /^Also: (.+?)\./.exec(line)?.[1] ?? [])
  return lines.flatMap(line => line.split(', ').map(command => command.split(' ')[0] as string))
}

/** @returns the commands that a command's help lists, `help` itself left out: two spaces, the name, then its usage or its summary */
function commandNames(help: string): string[] {
  const names: string[] = []
  let title = ''
  for (const line of help.split('\n')) {
    if (/^\S.*:$/.test(line)) title = line
    const name = /^ {2}([a-z][a-z-]*)(?: {2}| [[<])/.exec(line)?.[1]
    if (name !== undefined && name !== 'help' && title !== 'Arguments:') names.push(name)
  }
  return names
}

function block(help: string): string {
  return `\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`
}
