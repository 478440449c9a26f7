import { hasCode } from '../../core/errors.js'
import { holdProcess } from '../../core/hold-process.js'
import { count } from '../shell/human.js'
import { describeError, type Session } from '../shell/session.js'
import { FolderWatch } from './folder-watch.js'
import type { ImportReport } from './import-report.js'
import type { Importer } from './importer.js'
import { type PlanInit, type PlannedPhoto, planImport } from './plan.js'
import type { FileState, FoundFile, PassedOver, WalkInit } from './walk.js'

const SETTLE_MS = 2_000
const RESCAN_MS = 10 * 60_000
const RETRY_MS = 5_000
const RETRY_MS_MAX = 60_000

export interface WatchFoldersComponents {
  readonly session: Session
  readonly importer: Pick<Importer, 'import'>
  readonly report: Pick<ImportReport, 'add' | 'totals'>
}

export interface WatchFoldersInit {
  readonly paths: readonly string[]
  readonly walkInit: WalkInit
  readonly planInit: PlanInit
  /** For tests. */
  readonly settleMs?: number
}

/**
 * Brings in what is in folders, and what comes into them, until the person interrupts. A photo is told again when what lies beside it has
 * changed; sidecars count in their own folder only.
 */
export async function watchFolders(
  { session, importer, report }: WatchFoldersComponents,
  { paths, walkInit, planInit, settleMs = SETTLE_MS }: WatchFoldersInit
): Promise<void> {
  const { clock, terminal, signal } = session
  const note = (line: string): void => terminal.note(line)
  const watch = new FolderWatch({ clock, note }, { ...walkInit, settleMs, rescanMs: RESCAN_MS })
  /** By path, what was reported of a file, and what it was then. */
  const reported = new Map<string, string>()
  const isNews = (shown: string, state: string): boolean => {
    if (reported.get(shown) === state) return false
    reported.set(shown, state)
    return true
  }
  let failed: readonly PlannedPhoto[] = []
  const release = holdProcess()
  try {
    note(`watching ${paths.join(', ')}; interrupt to end`)
    for await (const found of watch.settled(paths, signal)) {
      const plan = await planImport(each(found), planInit)
      const photos = plan.photos.filter(photo => isNews(photo.file.shown, stateOfPhoto(photo)))
      for (const other of plan.others)
        if (isNews(other.shown, stateText(other.file?.state, other.rule))) await report.add(other)
      // what failed is tried again when everything is looked at
      const due = found.length === 0 ? failed : photos
      failed = [...(found.length === 0 ? [] : failed), ...(await untilReached(session, () => importer.import(due)))]
      for (const { file, isUsed } of plan.sidecars) {
        const outcome = isUsed ? 'sidecar' : 'sidecar_alone'
        if (isNews(file.shown, stateText(file.state, outcome))) await report.add({ shown: file.shown, outcome })
      }
      if (photos.length > 0) note(`${count(photos.length, 'file')} looked at, ${report.totals()}`)
    }
  } catch (err) {
    // the interrupt is how this ends
    if (!signal.aborted) throw err
  } finally {
    release()
  }
}

/** While the node cannot be reached, what has come waits. */
async function untilReached<T>({ clock, signal, terminal }: Session, task: () => Promise<T>): Promise<T> {
  for (let pauseMs = RETRY_MS; ; pauseMs = Math.min(2 * pauseMs, RETRY_MS_MAX)) {
    try {
      return await task()
    } catch (err) {
      if (!hasCode(err, 'ERR_NODE_UNREACHABLE') || signal.aborted) throw err
      terminal.note(`sheaf: ${describeError(err)}; trying again in ${pauseMs / 1_000} s`)
      await clock.sleep(pauseMs, signal)
    }
  }
}

/** Another text when the photo, or what lies beside it, has changed. */
function stateOfPhoto({ file, sheaf, takeout, xmp }: PlannedPhoto): string {
  return [file, sheaf?.file, takeout?.file, xmp?.file].map(one => stateText(one?.state)).join()
}

function stateText(state: FileState | undefined, more = ''): string {
  return state === undefined ? more : `${state.inode} ${state.byteCount} ${state.mtimeNs} ${more}`
}

async function* each(found: readonly (FoundFile | PassedOver)[]): AsyncGenerator<FoundFile | PassedOver> {
  yield* found
}
