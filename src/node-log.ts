import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import pretty from 'pino-pretty'
import { systemErrorCode } from './core/errors.js'

const STDERR = 2

/** How the log reads on a terminal: options of `pino-pretty`. */
export const LINES_FOR_PEOPLE = { colorize: true, singleLine: true, translateTime: 'SYS:HH:MM:ss.l' } as const

/**
 * The log of a node, to stderr: readable on a terminal, else one JSON object per line. Written synchronously, so that the
 * last lines before the process ends are not lost.
 */
export function createLog(init: { readonly level: string; readonly terminal: boolean }): Logger {
  const stream = init.terminal ? pretty({ destination: STDERR, sync: true, ...LINES_FOR_PEOPLE }) : stderrLines()
  return pino({ level: init.level, base: null, timestamp: stdTimeFunctions.isoTime }, stream)
}

function stderrLines(): DestinationStream {
  const stream = destination({ dest: STDERR, sync: true })
  stream.on('error', (err: unknown) => {
    // The reader of the log has exited; that must not end the node.
    if (systemErrorCode(err) !== 'EPIPE') throw err
  })
  return stream
}
