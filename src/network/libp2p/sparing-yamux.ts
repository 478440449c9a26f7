import { yamux } from '@libp2p/yamux'

type YamuxInit = NonNullable<Parameters<typeof yamux>[0]>
type YamuxFactory = ReturnType<typeof yamux>

/** The parts of a stream of @libp2p/yamux 8 that are used here. */
interface WindowedStream {
  readonly state: number
  /** Bytes that the peer may send in all. */
  readonly recvWindow: number
  /** Bytes that it may still send. */
  readonly recvWindowCapacity: number
  sendWindowUpdate(): void
}

interface StreamMaker {
  _newStream?: (...init: unknown[]) => WindowedStream
}

/** The state of an open stream, whose window updates carry no flags. */
const ESTABLISHED = 3

/**
 * Yamux that sends a window update only when half of a stream's window is used up, as its specification recommends. The
 * library sends one for every frame: each small message then causes another that wakes the other end, a third of all that
 * an idle cluster sends. If the library's internals have changed, it is used as it is.
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
