import { type ExecFileException, execFile } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import { env, platform } from 'node:process'
import { ConcurrencyLimit } from '../../core/concurrency-limit.js'
import { SheafError } from '../../core/errors.js'

/** How long the program may take to say its version. */
const VERSION_MS_MAX = 5_000
/** How long it may work on a picture; a client waits for the one of a question. */
const FRAME_MS_MAX: Readonly<Record<FrameRequest['priority'], number>> = { interactive: 10_000, backlog: 30_000 }
const CPU_S_MAX = 30
/** Address space: a picture of 8K takes a third of it. */
const MEMORY_KIB_MAX = 1_536 * 1_024
/** 8K has half as many. */
const PIXELS_MAX = 64 * 2 ** 20
const OUTPUT_BYTES_MAX = 64 * 2 ** 20
const WAITING_MAX = 16
const MESSAGE_LENGTH_MAX = 200

/** How `ffmpeg` names what takes a file apart, by format as the head says it. */
const DEMUXERS: Readonly<Record<string, string>> = {
  mp4: 'mov',
  mov: 'mov',
  matroska: 'matroska',
  avi: 'avi',
  mpeg: 'mpeg',
  mpegts: 'mpegts',
  asf: 'asf'
}

/** Of telephones, cameras and browsers. Decoders that nobody hardens stay shut. */
const DECODERS = [
  ...['h264', 'hevc', 'av1', 'libdav1d', 'libaom-av1', 'vp8', 'vp9', 'mpeg4', 'mpeg2video', 'mpeg1video', 'h263'],
  ...['mjpeg', 'prores', 'dvvideo', 'msmpeg4v2', 'msmpeg4', 'wmv1', 'wmv2', 'wmv3', 'vc1']
]

/**
 * Bounds the program before it runs, where there is a shell: kibibytes, seconds, then what to run. A system that does not know a bound
 * goes without.
 */
const BOUNDED = 'ulimit -c 0; ulimit -t "$1"; ulimit -v "$2"; shift 2; exec "$@"'
const [NOT_EXECUTABLE, NOT_FOUND] = [126, 127]

export interface FrameRequest {
  /** Of the bytes, as the head of the file says it. */
  readonly format: string
  /** A movie, or as much of its beginning as there is a picture in. Called when it is its turn. */
  readonly bytes: () => Promise<Uint8Array>
  readonly priority: 'interactive' | 'backlog'
}

/**
 * `ffmpeg`, as a program of the host. It gets the bytes through a pipe and knows no other protocol, so it opens neither files nor
 * connections, whatever a movie names. Each picture is a process of its own, one at a time.
 */
export class Ffmpeg {
  readonly #program: string
  readonly #frameMs: typeof FRAME_MS_MAX
  readonly version: string
  readonly #turns: Readonly<Record<FrameRequest['priority'], ConcurrencyLimit>> = {
    interactive: oneAtATime(),
    backlog: oneAtATime()
  }

  private constructor(program: string, version: string, frameMs: typeof FRAME_MS_MAX) {
    this.#program = program
    this.#frameMs = frameMs
    this.version = version
  }

  /**
   * @param program - a path, or a name that is looked for on PATH
   * @param frameMs - how long it may work on a picture
   * @throws `ERR_NOT_FOUND` when it does not run, or is no ffmpeg
   */
  static async find(program: string, frameMs = FRAME_MS_MAX): Promise<Ffmpeg> {
    const { error, stdout } = await run(program, ['-hide_banner', '-version'], { timeout: VERSION_MS_MAX })
    const version = /^ffmpeg version (\S{1,64})/.exec(stdout.toString('latin1', 0, 200))?.[1]
    if (error !== null || version === undefined) {
      const why = error === null ? 'it does not say that it is ffmpeg' : lastLine(error.message)
      throw new SheafError('ERR_NOT_FOUND', `${program} cannot be used: ${why}`)
    }
    return new Ffmpeg(program, version, frameMs)
  }

  /**
   * Decodes the first picture in some bytes.
   *
   * @returns a JPEG, turned as the bytes say
   * @throws `ERR_IMAGE_UNREADABLE` when there is none; `ERR_IMAGE_TOO_LARGE` when it takes too long, or is too large;
   * `ERR_ANALYST_UNAVAILABLE` when the program does not run any more; `ERR_OVERLOADED` when too many wait; the signal's reason; what
   * `bytes` throws
   */
  async frame({ format, bytes, priority }: FrameRequest, signal: AbortSignal): Promise<Buffer> {
    const demuxer = DEMUXERS[format]
    if (demuxer === undefined) throw unreadable(`of ${format} no picture can be decoded`)
    const leave = await this.#turns[priority].enter(0, signal)
    try {
      const input = await bytes()
      const timeout = this.#frameMs[priority]
      const { error, stdout, stderr } = await run(this.#program, argumentsFor(demuxer), { timeout, input, signal })
      signal.throwIfAborted()
      if (error !== null) throw this.#faultOf(error, stderr.toString())
      if (stdout.length === 0) throw unreadable('there is no picture in the movie')
      return stdout
    } finally {
      leave()
    }
  }

  #faultOf(error: ExecFileException, stderr: string): SheafError {
    const { code, killed } = error
    const isGone = code === 'ENOENT' || code === 'EACCES' || code === NOT_EXECUTABLE || code === NOT_FOUND
    if (isGone) {
      return new SheafError(
        'ERR_ANALYST_UNAVAILABLE',
        `${this.#program} cannot be run any more; install ffmpeg again, or start with --ffmpeg off`,
        { cause: error }
      )
    }
    const isTooMuch = killed === true || error.signal !== null || code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'
    if (isTooMuch) return new SheafError('ERR_IMAGE_TOO_LARGE', 'decoding a picture of the movie took too much')
    return unreadable(lastLine(stderr) || `ffmpeg ended with ${code}`)
  }
}

function argumentsFor(demuxer: string): string[] {
  const reading = ['-protocol_whitelist', 'pipe', '-f', demuxer, '-codec_whitelist', DECODERS.join(',')]
  const bounds = ['-max_pixels', String(PIXELS_MAX), '-threads', '1']
  const picture = ['-map', '0:v:0', '-frames:v', '1', '-pix_fmt', 'yuvj420p', '-c:v', 'mjpeg', '-q:v', '2']
  return [
    ...['-v', 'error', '-hide_banner', '-nostdin', ...reading, ...bounds, '-i', 'pipe:0'],
    ...[...picture, '-threads', '1', '-f', 'image2pipe', 'pipe:1']
  ]
}

interface RunInit {
  readonly timeout: number
  readonly input?: Uint8Array
  readonly signal?: AbortSignal
}

interface Run {
  readonly error: ExecFileException | null
  readonly stdout: Buffer
  readonly stderr: Buffer
}

function run(program: string, args: readonly string[], { timeout, input, signal }: RunInit): Promise<Run> {
  const bounds = ['-c', BOUNDED, 'sh', String(CPU_S_MAX), String(MEMORY_KIB_MAX)]
  const [file, argv] = platform === 'win32' ? [program, args] : ['/bin/sh', [...bounds, program, ...args]]
  const { PATH = '', LD_LIBRARY_PATH, SystemRoot } = env
  return new Promise(resolve => {
    const child = execFile(
      file,
      argv,
      {
        timeout,
        killSignal: 'SIGKILL',
        maxBuffer: OUTPUT_BYTES_MAX,
        encoding: 'buffer',
        // no secrets for what decodes untrusted files
        env: { PATH, ...(LD_LIBRARY_PATH && { LD_LIBRARY_PATH }), ...(SystemRoot && { SystemRoot }) },
        ...(signal !== undefined && { signal })
      },
      (error, stdout, stderr) => resolve({ error, stdout, stderr })
    )
    lowerPriority(child.pid)
    child.stdin?.on('error', () => {}) // it need not read everything
    child.stdin?.end(input)
  })
}

/** Requests take precedence. */
function lowerPriority(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // it has ended already, or may not be changed: it only runs sooner
  }
}

function oneAtATime(): ConcurrencyLimit {
  return new ConcurrencyLimit({ countMax: 1, bytesMax: Number.MAX_SAFE_INTEGER, waitingMax: WAITING_MAX })
}

function unreadable(message: string): SheafError {
  return new SheafError('ERR_IMAGE_UNREADABLE', message)
}

/** What stands before it are warnings. */
function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)!.slice(0, MESSAGE_LENGTH_MAX)
}
