/* A process in which an invariant is broken where errors are caught, logged and tried again. Run it with tsx. */
import { Jobs } from '../../src/admin/jobs.js'
import { systemClock } from '../../src/core/clock.js'
import { holdProcess } from '../../src/core/hold-process.js'
import { invariant } from '../../src/core/invariant.js'
import { silentLog } from '../../src/core/log.js'
import { systemRandom } from '../../src/core/random.js'
import { WorkerLoop } from '../../src/core/worker-loop.js'
import type { NodeId } from '../../src/domain/ids.js'
import { RpcCaller } from '../../src/network/rpc/rpc-caller.js'
import { RpcResponder } from '../../src/network/rpc/rpc-responder.js'
import { memoryChannels } from '../unit/network/rpc/memory-channel.js'
import { SeededRandom } from './seeded-random.js'

const [, , where = ''] = process.argv
const components = { clock: systemClock, random: systemRandom, log: silentLog }
const breakIt = async (): Promise<never> => {
  invariant(false, `broken in a ${where}`)
  throw new Error('it has been thrown before')
}
const places: Readonly<Record<string, () => unknown>> = {
  catch: () => breakIt().catch(() => {}),
  worker: () => new WorkerLoop(components, { name: where, idleMs: 1, step: breakIt }).start(),
  job: () => new Jobs(components).start('any', breakIt),
  request: () => {
    const [near, far] = memoryChannels(new SeededRandom(1))
    const requester = { peer: 'peer' as NodeId, log: silentLog }
    void new RpcResponder({ channel: far, requester, handlers: new Map([['any', breakIt]]) }).run()
    void new RpcCaller(near).request('any', new Uint8Array(), new AbortController().signal).catch(() => {})
  }
}
holdProcess()
await places[where]?.()
