import lookUpZone from '@photostructure/tz-lookup'
import type { Place } from '../../../domain/photo-facts.js'
import { offsetAtLocal, offsetInZone } from '../../../domain/zones.js'

/** Zones of the high seas, by longitude: ships keep whatever time they like. */
const AT_SEA = /^Etc\//

/**
 * @param ms - a moment of which UTC or the local time is known, the latter in ms as if in UTC
 * @returns by how many minutes clocks at the place were ahead of UTC then; undefined at sea, and where Node does not know the zone
 */
export function offsetAtPlace({ latitude, longitude }: Place, ms: number, clock: 'utc' | 'local'): number | undefined {
  const zone = lookUpZone(latitude, longitude)
  if (AT_SEA.test(zone)) return undefined
  return clock === 'utc' ? offsetInZone(zone, ms) : offsetAtLocal(zone, ms)
}
