import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Ffmpeg, type FrameRequest } from '../../../../src/similarity/videos/ffmpeg.js'
import { deferred } from '../../../support/deferred.js'
import { fakeFfmpeg } from '../../../support/fake-ffmpeg.js'
import { temporaryDirectory } from '../../../support/temporary-directory.js'
import { until } from '../../../support/until.js'

const FOREVER = new AbortController().signal

function request(bytes: Uint8Array, format = 'mp4'): FrameRequest {
  return { format, bytes: async () => bytes, priority: 'backlog' }
}

async function fake(
  behaviour: string,
  frameMs?: number
): Promise<{ readonly ffmpeg: Ffmpeg; readonly folder: string }> {
  const folder = await temporaryDirectory()
  const program = await fakeFfmpeg(folder, behaviour)
  const limits = frameMs === undefined ? undefined : { interactive: frameMs, backlog: frameMs }
  return { ffmpeg: await Ffmpeg.find(program, limits), folder }
}

describe('the program', () => {
  test('says its version', async () => {
    expect((await fake('exit 1')).ffmpeg.version).toBe('7.1-fake')
  })

  test.each(['/nonexistent/ffmpeg', '/bin/true', '/bin/false'])('%s is none', async program => {
    await expect(Ffmpeg.find(program)).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining(program)
    })
  })

  test('gets the bytes through a pipe, knows no other protocol, and no secrets', async () => {
    process.env.SHEAF_TEST_SECRET = 'secret'
    const { ffmpeg } = await fake('echo "$@"; env; cat')
    const out = (await ffmpeg.frame(request(Buffer.from('the movie')), FOREVER)).toString()
    delete process.env.SHEAF_TEST_SECRET
    expect(out).toContain('-nostdin -protocol_whitelist pipe -f mov ')
    expect(out.endsWith('the movie')).toBe(true)
    expect(out).not.toContain('secret')
  })

  test('works within bounds of memory and computing time', async () => {
    const { ffmpeg } = await fake('ulimit -v; ulimit -t')
    expect((await ffmpeg.frame(request(Buffer.of(1)), FOREVER)).toString()).toBe('1572864\n30\n')
  })

  test('decodes one picture at a time, and a question does not wait for the backlog', async () => {
    const { ffmpeg } = await fake('cat')
    const first = deferred<Uint8Array>()
    const asked: string[] = []
    const ask = (name: string, bytes: Promise<Uint8Array>, priority: FrameRequest['priority']): Promise<Buffer> => {
      const called = (): Promise<Uint8Array> => {
        asked.push(name)
        return bytes
      }
      return ffmpeg.frame({ format: 'mp4', bytes: called, priority }, FOREVER)
    }
    const frames = [
      ask('first', first.promise, 'backlog'),
      ask('second', Promise.resolve(Buffer.of(2)), 'backlog'),
      ask('question', Promise.resolve(Buffer.of(3)), 'interactive')
    ]
    expect(await frames[2]).toEqual(Buffer.of(3))
    expect(asked).toEqual(['first', 'question'])
    first.resolve(Buffer.of(1))
    expect(await Promise.all(frames)).toEqual([1, 2, 3].map(i => Buffer.of(i)))
  })
})

describe('a movie', () => {
  test.each([
    ['of which it says what is wrong', 'echo "moov atom not found" >&2; exit 1', /^moov atom not found$/],
    ['at which it only fails', 'exit 234', /ended with 234/],
    ['without a picture', 'cat > /dev/null', /no picture/],
    ['of a format that it is not asked for', 'exit 0', /of jpeg no picture/]
  ])('%s is unreadable', async (what, behaviour, message) => {
    const { ffmpeg } = await fake(behaviour)
    const format = what.includes('format') ? 'jpeg' : 'mp4'
    await expect(ffmpeg.frame(request(Buffer.alloc(1_000_000), format), FOREVER)).rejects.toMatchObject({
      code: 'ERR_IMAGE_UNREADABLE',
      message: expect.stringMatching(message)
    })
  })

  test.each([
    ['takes too long', 'exec sleep 600'],
    ['gives too much', 'exec head -c 70000000 /dev/zero'],
    ['ends it by a signal', 'kill -XCPU $$']
  ])('that %s is too large, and the next one is fine', async (_, behaviour) => {
    const { ffmpeg, folder } = await fake(behaviour, 1_000)
    await expect(ffmpeg.frame(request(Buffer.of(1)), FOREVER)).rejects.toMatchObject({ code: 'ERR_IMAGE_TOO_LARGE' })
    await fakeFfmpeg(folder, 'cat')
    expect(await ffmpeg.frame(request(Buffer.of(2)), FOREVER)).toEqual(Buffer.of(2))
  })

  test('that is no longer waited for ends the program, and the next one has its turn', async () => {
    const { ffmpeg, folder } = await fake('echo $$ > "$0.pid"; exec sleep 600')
    const abort = new AbortController()
    const frame = ffmpeg.frame(request(Buffer.of(1)), abort.signal)
    frame.catch(() => {})
    const pidOf = async (): Promise<number> =>
      Number(await readFile(join(folder, 'ffmpeg.pid'), 'utf8').catch(() => ''))
    await until('the program runs', 90_000, async () => (await pidOf()) > 0, 10)
    const pid = await pidOf()
    abort.abort(new Error('enough'))
    await expect(frame).rejects.toThrow('enough')
    await until('the program has ended', 90_000, async () => !isAlive(pid), 10)
    await fakeFfmpeg(folder, 'cat')
    expect(await ffmpeg.frame(request(Buffer.of(2)), FOREVER)).toEqual(Buffer.of(2))
  })

  test('is no fault where the program has gone', async () => {
    const { ffmpeg, folder } = await fake('cat')
    await rm(join(folder, 'ffmpeg'))
    await expect(ffmpeg.frame(request(Buffer.of(1)), FOREVER)).rejects.toMatchObject({
      code: 'ERR_ANALYST_UNAVAILABLE',
      message: expect.stringContaining('--ffmpeg off')
    })
  })

  test('whose bytes cannot be read leaves its turn to the next', async () => {
    const { ffmpeg } = await fake('cat')
    const unread = { ...request(Buffer.of()), bytes: () => Promise.reject(new Error('no bytes')) }
    await expect(ffmpeg.frame(unread, FOREVER)).rejects.toThrow('no bytes')
    expect(await ffmpeg.frame(request(Buffer.of(2)), FOREVER)).toEqual(Buffer.of(2))
  })
})

const real = await Ffmpeg.find('ffmpeg').catch(() => undefined)

describe.skipIf(real === undefined)(`with ffmpeg ${real?.version ?? '(not on this machine)'}`, () => {
  test('no bytes, rubbish and what names other files give none', async () => {
    const folder = await temporaryDirectory()
    const other = join(folder, 'other.avi')
    await writeFile(other, 'another file')
    const inputs = [
      [Buffer.alloc(0), 'mp4'],
      [Buffer.alloc(100_000, 7), 'matroska'],
      [Buffer.from(`#EXTM3U\n#EXTINF:1,\n${other}\n`), 'mpegts'],
      [Buffer.from(`ffconcat version 1.0\nfile ${other}\n`), 'avi']
    ] as const
    for (const [bytes, format] of inputs)
      await expect((real as Ffmpeg).frame(request(bytes, format), FOREVER)).rejects.toMatchObject({
        code: 'ERR_IMAGE_UNREADABLE'
      })
  })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
