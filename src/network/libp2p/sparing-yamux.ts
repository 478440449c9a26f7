import { yamux } from '@libp2p/yamux'

type YamuxInit = NonNullable<Parameters<typeof yamux>[0]>
type YamuxFactory = ReturnType<typeof yamux>

/** What of a stream of @libp2p/yamux 8 is looked at here. */
interface WindowedStream {
  readonly state: number
  /** What the peer may send in all, and what it still may. */
  readonly recvWindow: number
  readonly recvWindowCapacity: number
  sendWindowUpdate(): void
}

interface StreamMaker {
  _newStream?: (...init: unknown[]) => WindowedStream
}

/** Open, with nothing to say but how much may be sent. */
const ESTABLISHED = 3

/**
 * Yamux that opens a stream's window again when half of it is used up, as its description has it. The library does so for
 * every frame: each small message is then answered by one that wakes the other end, which is a third of all that an idle
 * cluster sends. Where the library has become another one, nothing is changed.
 */
export function sparingYamux(init: YamuxInit): YamuxFactory {
  return () => {
    const factory = yamux(init)()
    const create = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = connection => {
      const muxer = create(connection)
      limitWindowUpdates(muxer as unknown as StreamMaker)
      return muxer
    }
    return factory
  }
}

function limitWindowUpdates(muxer: StreamMaker): void {
  const newStream = muxer._newStream?.bind(muxer)
  if (newStream === undefined) return
  muxer._newStream = (...init) => {
    const stream = newStream(...init)
    const update = stream.sendWindowUpdate.bind(stream)
    stream.sendWindowUpdate = () => {
      if (stream.state !== ESTABLISHED || 2 * stream.recvWindowCapacity <= stream.recvWindow) update()
    }
    return stream
  }
}
