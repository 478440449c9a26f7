/*
 * `npm run sim -- node|cluster FIRST COUNT`: runs that many seeds from the first one on, says what was wrong under which, and
 * exits 1 if anything was. `SIM_STOP=1` ends at the first. With `SIM_TRACE=1` the whole story is told, not its end only.
 */
import { SIMULATIONS, type SimulationName } from './simulate.js'

const [name = '', first = '1', count = '100'] = process.argv.slice(2)
if (!Object.hasOwn(SIMULATIONS, name)) {
  console.error(`usage: npm run sim -- ${Object.keys(SIMULATIONS).join('|')} FIRST COUNT`)
  process.exit(2)
}
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  try {
    await SIMULATIONS[name as SimulationName](seed)
  } catch (err) {
    process.exitCode = 1
    console.log(err instanceof Error ? err.message : String(err))
    if (process.env.SIM_STOP !== undefined) break
  }
}
