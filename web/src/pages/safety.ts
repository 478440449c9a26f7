import type { Cluster, Member, Status } from '../api/client.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-cluster.js'

/** What whoever keeps the machines has to know first. */
export interface Safety {
  readonly level: 'safe' | 'copying' | 'attention'
  readonly title: string
  /** Why; at least one. */
  readonly reasons: readonly string[]
}

/** Bytes that are on one machine only are no alarm for so long: copying takes a moment. */
const ALONE_S_MAX = 300

/** Judges by what the answering node knows: what is not known is never called safe. */
export function safetyOf({ members, laid_out_alarm }: Cluster, status: Status | undefined): Safety {
  const present = members.filter(({ state }) => state !== 'left')
  const others = present.filter(({ self }) => !self)
  const down = others.filter(({ state }) => state === 'down' || state === 'suspect')
  const full = present.filter(({ disk }) => disk?.full === true)
  const aloneS = status?.oldest_unreplicated_s ?? null
  const alarms = [
    ...(laid_out_alarm ? [words.laidOutAlarm] : []),
    ...((status?.damaged_bytes ?? 0) > 0 ? [words.damage(status?.damaged_bytes ?? 0)] : []),
    ...(down.length > 0 ? [words.down(namesOf(down))] : []),
    ...(full.length > 0 ? [words.full(namesOf(full))] : []),
    ...(others.length > 0 && aloneS !== null && aloneS > ALONE_S_MAX ? [words.onlyHere(t.duration(aloneS))] : [])
  ]
  if (alarms.length > 0) return { level: 'attention', title: words.attention, reasons: alarms }
  if (others.length === 0) return { level: 'attention', title: words.alone, reasons: [words.aloneHint] }
  const behind = present.filter(({ lag_bytes: lag }) => lag !== null && lag > 0)
  const unknown = present.filter(({ lag_bytes: lag }) => lag === null)
  if (behind.length === 0 && unknown.length === 0)
    return { level: 'safe', title: words.safe(present.length), reasons: [words.upToDate] }
  const bytes = behind.reduce((sum, { lag_bytes }) => sum + (lag_bytes ?? 0), 0)
  return {
    level: 'copying',
    title: words.copying,
    reasons: [
      ...(behind.length > 0 ? [words.behind(behind.length, bytes)] : []),
      ...(unknown.length > 0 ? [words.unknownLag(unknown.length)] : [])
    ]
  }
}

function namesOf(members: readonly Member[]): string {
  return members.map(({ name, id }) => name || id).join(', ')
}
