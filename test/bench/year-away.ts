/*
 * `npm run bench:year -- [PHOTOS [DELETES]]`: a member of three is away for a simulated year, while the others
 * delete half of 100,000 photos. Real node services on simulated disks, network and time: says in how many simulated seconds
 * all are identical again, and what that costs of real CPU time.
 */
import { ClusterLab } from '../support/cluster-lab.js'
import { spendYearAway } from '../support/year-away.js'

const IDENTICAL_MS_MAX = 60_000
const VOLUME_BYTES = 16_000_000

const [photos = 100_000, deletes = photos / 2] = process.argv.slice(2).map(Number)
const lab = await ClusterLab.of(3, { volumeBytes: VOLUME_BYTES })
const report = await spendYearAway(lab, { photos, deletes, note: line => console.log(line) })
await lab.end()
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
console.log(`
deletes buried while it was away:        ${report.buriedMeanwhile} of ${deletes}
of those, with bytes left:               ${report.bytesLeftMeanwhile}
equal directories after its return:      ${seconds(report.digestMs)} simulated, ${seconds(report.cpuMs)} of CPU for all three
nothing lacks anywhere:                  ${seconds(report.identicalMs)} simulated
laid out on it:                          ${report.laidOut}${report.isAlarming ? ', an alarm' : ''}`)
if (report.digestMs > IDENTICAL_MS_MAX || report.buriedMeanwhile < deletes) process.exitCode = 1
