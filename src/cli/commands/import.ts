import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { Option } from 'commander'
import { SheafError } from '../../core/errors.js'
import { offsetInZone } from '../../domain/zones.js'
import { nameDecoder } from '../import/file-names.js'
import { globMatcher } from '../import/glob.js'
import { HashJournal } from '../import/hash-journal.js'
import { ImportReport } from '../import/import-report.js'
import { Importer } from '../import/importer.js'
import { IMPORT_KINDS, type ImportKind, planImport } from '../import/plan.js'
import { walk } from '../import/walk.js'
import { watchFolders } from '../import/watch-folders.js'
import type { CommandSet } from '../shell/command-set.js'
import type { ExitCode, Session } from '../shell/session.js'
import { collect } from './options.js'

const HELP = `
What lies beside photos is taken over: the .json files of sheaf export, those of
Google Takeout (unpack all its archives first, and name all folders at once),
and .xmp files. What the node has already is not sent again, and only told what
it lacks. So an import can be stopped at any time and run again.
Files that programs leave among photos are passed over, and so is what is
hidden. Each file is in the report once; exits 1 if some of them failed.`

interface ImportOptions {
  readonly from: ImportKind
  readonly dryRun?: true
  readonly albumFromFolder?: true
  readonly zone?: string
  readonly namesEncoding?: string
  readonly exclude?: readonly string[]
  readonly includeTrashed?: true
  readonly watch?: true
  readonly report?: string
}

type Environment = Readonly<Record<string, string | undefined>>

export function addImport(commands: CommandSet, { environment }: { readonly environment: Environment }): void {
  commands
    .client('import <path...>', 'bring photos in from folders, exports and archives, with what is known of them')
    .addOption(
      new Option('--from <kind>', 'whose files lie beside the photos (default: auto, all of them)')
        .choices(IMPORT_KINDS)
        .default('auto')
    )
    .option('--dry-run', 'only say what would be done')
    .option('--album-from-folder', 'put each photo into an album named like its folder')
    .option('--zone <zone>', 'where clocks were that do not say, such as Europe/Berlin or +02:00 (default: here)')
    .option('--names-encoding <name>', 'of names that are not UTF-8, such as shift_jis or koi8-r (default: Latin-1)')
    .option('--exclude <glob>', 'pass over names, or paths if it has a slash; may be repeated', collect)
    .option('--include-trashed', 'take also what was deleted, at the node or in Google Photos')
    .option('--watch', 'go on with what comes into the folders, until it is interrupted')
    .option('--report <file>', 'write what became of each file, a line of JSON each')
    .addHelpText('after', HELP)
    .action(
      commands.action((session, paths: readonly string[], options: ImportOptions) =>
        run(session, paths, options, environment)
      )
    )
}

async function run(
  session: Session,
  paths: readonly string[],
  options: ImportOptions,
  environment: Environment
): Promise<ExitCode> {
  const { from, albumFromFolder, exclude = [] } = options
  const zone = options.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone
  if (offsetInZone(zone, session.clock.now()) === undefined)
    throw new SheafError('ERR_USAGE', `--zone ${JSON.stringify(zone)} must be such as Europe/Berlin or +02:00`)
  const isDry = options.dryRun === true
  if (isDry && options.watch === true) throw new SheafError('ERR_USAGE', '--watch and --dry-run do not go together')
  const excluded = exclude.map(globMatcher)
  const walkInit = {
    decode: nameDecoder(options.namesEncoding),
    isExcluded: (path: string) => excluded.some(matches => matches(path))
  }
  const planInit = { kind: from, isFolderAlbum: albumFromFolder === true }
  const report = await ImportReport.open(session, options.report)
  try {
    const roots = paths.map(path => resolve(path))
    const journal = await HashJournal.open(stateFolder(environment), roots)
    const init = { zone, isDry, includeTrashed: options.includeTrashed === true }
    const importer = new Importer({ session, report, journal }, init)
    if (options.watch === true) await watchFolders({ session, importer, report }, { paths, walkInit, planInit })
    else {
      const plan = await planImport(walk(paths, walkInit), planInit)
      for (const other of plan.others) await report.add(other)
      await importer.import(plan.photos)
      for (const { file, isUsed } of plan.sidecars)
        await report.add({ shown: file.shown, outcome: isUsed ? 'sidecar' : 'sidecar_alone' })
    }
    await report.print(isDry)
    return report.hasFailed ? 1 : 0
  } finally {
    await report.close()
  }
}

/** Where programs keep what need not be kept, see the XDG base directory specification. */
function stateFolder({ XDG_STATE_HOME, HOME }: Environment): string {
  return join(XDG_STATE_HOME || join(HOME || homedir(), '.local', 'state'), 'sheaf', 'import')
}
