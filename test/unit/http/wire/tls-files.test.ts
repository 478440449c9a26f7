import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type Logger, silentLog } from '../../../../src/core/log.js'
import { TlsFiles } from '../../../../src/http/wire/tls-files.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const DAY_MS = 24 * 3_600_000

const pem = (name: string): Buffer => readFileSync(new URL(`../../../fixtures/tls/${name}.pem`, import.meta.url))

let files: Map<string, Buffer | Error>
let lines: [level: string, message: string, fields: object][]

beforeEach(() => {
  files = new Map([
    ['/cert', pem('one.cert')],
    ['/key', pem('one.key')]
  ])
  lines = []
})

function tls(clock = new SimulatedClock(Date.UTC(2026, 0, 1))) {
  const write = (level: string) => (fields: object, message: string) => void lines.push([level, message, fields])
  const log: Logger = { ...silentLog, info: write('info'), warn: write('warn'), error: write('error') }
  const readFile = async (path: string): Promise<Buffer | undefined> => {
    const file = files.get(path)
    if (file instanceof Error) throw file
    return file
  }
  const made = new TlsFiles({ clock, log, fileSystem: { readFile } }, { certFile: '/cert', keyFile: '/key' })
  const pairs: string[] = []
  made.onChange(({ cert }) => void pairs.push(cert.equals(pem('two.cert')) ? 'two' : 'one'))
  onTestFinished(() => made.stop())
  return { made, clock, pairs }
}

const written = (level: string): string[] => lines.filter(([at]) => at === level).map(([, message]) => message)

describe('a start', () => {
  test('takes a pair that fits, and says nothing', async () => {
    const { made } = tls()
    await made.start()
    expect(made.pair).toEqual({ cert: pem('one.cert'), key: pem('one.key') })
    expect(made.endsAtMs).toBe(Date.UTC(2120, 0, 1))
    expect(lines).toEqual([])
  })

  test.each([
    ['another key', '/key', 'two.key', /the key in --tls-key \/key is not that of the certificate in \/cert/],
    ['a key as certificate', '/cert', 'one.key', /--tls-cert \/cert holds no certificate in PEM/],
    ['a certificate as key', '/key', 'one.cert', /--tls-key \/key holds no private key in PEM without a passphrase/]
  ])('with %s ends', async (_, path, name, message) => {
    files.set(path, pem(name))
    await expect(tls().made.start()).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringMatching(message)
    })
  })

  test('with a chain that is cut ends', async () => {
    files.set('/cert', Buffer.concat([pem('one.cert'), pem('ca.cert').subarray(0, 300)]))
    await expect(tls().made.start()).rejects.toThrow('--tls-cert /cert has a chain that is cut or cannot be used')
  })

  test('without a file, or with one that cannot be read, ends', async () => {
    files.delete('/key')
    await expect(tls().made.start()).rejects.toThrow('--tls-key /key cannot be read (ENOENT)')
    files.set('/cert', Object.assign(new Error('no'), { code: 'EACCES' }))
    await expect(tls().made.start()).rejects.toThrow('--tls-cert /cert cannot be read (EACCES)')
  })

  test('with an expired certificate goes on, and says so', async () => {
    files = new Map([
      ['/cert', pem('expired.cert')],
      ['/key', pem('expired.key')]
    ])
    const { made } = tls()
    await made.start()
    expect(made.pair).toBeDefined()
    expect(lines).toMatchObject([
      ['warn', expect.stringContaining('look at the TLS certificate'), { validity: 'expired' }]
    ])
  })
})

describe('files that change', () => {
  test('are taken within seconds, without a start', async () => {
    const { made, clock, pairs } = tls()
    await made.start()
    await clock.advance(60_000)
    expect(pairs).toEqual([])
    files.set('/cert', pem('two.cert')).set('/key', pem('two.key'))
    await clock.advance(10_000)
    expect(pairs).toEqual(['two'])
    expect(made.pair?.key).toEqual(pem('two.key'))
    expect(written('info')).toEqual(['took a new TLS certificate'])
  })

  test('and do not fit are logged once, and the pair before stays until they fit', async () => {
    const { made, clock, pairs } = tls()
    await made.start()
    files.set('/cert', pem('two.cert'))
    await clock.advance(60_000)
    files.delete('/key')
    await clock.advance(60_000)
    expect(written('error')).toHaveLength(2)
    expect(made.pair?.cert).toEqual(pem('one.cert'))
    expect(pairs).toEqual([])
    files.set('/key', pem('two.key'))
    await clock.advance(10_000)
    expect(pairs).toEqual(['two'])
  })

  test('and are half written do not replace the pair before', async () => {
    const { made, clock, pairs } = tls()
    await made.start()
    const whole = Buffer.concat([pem('two.cert'), pem('ca.cert')])
    files.set('/cert', whole.subarray(0, -40)).set('/key', pem('two.key'))
    await clock.advance(10_000)
    expect(made.pair?.cert).toEqual(pem('one.cert'))
    expect(pairs).toEqual([])
    files.set('/cert', whole)
    await clock.advance(10_000)
    expect(made.pair?.cert).toEqual(whole)
    expect(pairs).toHaveLength(1)
  })

  test('are looked at no more after the stop', async () => {
    const { made, clock, pairs } = tls()
    await made.start()
    await made.stop()
    files.set('/cert', pem('two.cert')).set('/key', pem('two.key'))
    await clock.advance(60_000)
    expect(pairs).toEqual([])
    expect(clock.pending).toBe(0)
  })
})

test('a certificate that ends soon is warned of once, and again when it has ended', async () => {
  const { made, clock } = tls(new SimulatedClock(Date.UTC(2120, 0, 1) - 14 * DAY_MS - 60_000))
  await made.start()
  expect(lines).toEqual([])
  await clock.advance(90_000)
  expect(lines).toMatchObject([['warn', expect.any(String), { validity: 'ends soon' }]])
  await clock.advance(60_000)
  expect(lines).toHaveLength(1)
})
