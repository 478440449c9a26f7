import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SETTINGS, type SettingName, settingNames } from '../../../src/config/settings.js'
import { type ConfigFault, type ConfigSources, loadConfig } from '../../../src/config.js'
import { SheafError } from '../../../src/core/errors.js'

const GOOD: Readonly<Record<SettingName, readonly [string, string]>> = {
  data: ['/a', '/b'],
  http: ['127.0.0.1:1', '[::1]:2'],
  advertiseHttp: ['http://10.0.0.7:8000', 'https://a.example,http://[fd00::7]:8000'],
  tlsCert: ['/c', '/d'],
  tlsKey: ['/e', '/f'],
  allowHost: ['one.example', 'two.example,three.example'],
  trustProxy: ['10.0.0.0/8', 'unix,::1,192.0.2.7'],
  name: ['red', 'blue'],
  minCopies: ['2', '3'],
  requireCookie: ['on', 'off'],
  volumeBytes: ['1Mi', '2G'],
  purgeDays: ['0', '1.5'],
  maxUploadBytes: ['1', '8Ki'],
  cacheBytes: ['0', '1Gi'],
  cacheTtl: ['1', '60'],
  vectorBytes: ['0', '2Gi'],
  heic: ['off', 'on'],
  ffmpeg: ['/usr/bin/ffmpeg', 'off'],
  places: ['off', 'on'],
  archiveBucket: ['a', 'b'],
  archiveEndpoint: ['http://a:9000', 'https://b'],
  archiveRegion: ['r', 's'],
  archivePrefix: ['p', 'q/r'],
  archiveCredentials: ['/c', '/d'],
  archiveKey: ['/archive-key-1', '/archive-key-2'],
  logLevel: ['debug', 'error'],
  p2p: ['127.0.0.1:1', '[::1]:0'],
  advertise: ['a', 'a:1,[fd00::7]'],
  join: ['a', 'a,b:1'],
  mdns: ['on', 'off'],
  auth: ['on', 'auto'],
  signup: ['open', 'invite'],
  legacyApi: ['on', 'off'],
  clusterName: ['a', 'b'],
  clusterKey: ['/k', '/l'],
  openCluster: ['on', 'off'],
  model: ['resnet50', 'clip'],
  models: ['/m', '/n'],
  metrics: ['127.0.0.1:1', '[::1]:0'],
  metricsTokenFile: ['/k', '/l'],
  otlp: ['http://localhost:4318', 'https://collector.example/otlp'],
  otlpRatio: ['0', '0.25']
}
const NAMES = Object.keys(GOOD) as SettingName[]
type ArchiveSetting = Extract<SettingName, `archive${string}`>
/** Those that mean something alone. */
const LONE = NAMES.filter((name): name is Exclude<SettingName, ArchiveSetting> => !name.startsWith('archive'))

function load(sources: Partial<Omit<ConfigSources, 'readTextFile'>> & { file?: unknown }) {
  return loadConfig({
    args: sources.file === undefined ? (sources.args ?? []) : [...(sources.args ?? []), '--config', '/etc/sheaf.json'],
    environment: sources.environment ?? {},
    hostName: 'the-host',
    readTextFile: path => {
      if (path === '/c' || path === '/d') return 'an-id\na-secret\n'
      if (path.startsWith('/archive-key-')) return `the key in ${path}, which is long enough\n`
      if (path === '/k' || path === '/l') return `the-key-in-${path},-long-enough\n`
      if (path !== '/etc/sheaf.json' || sources.file === undefined) throw new Error('ENOENT: no such file')
      return typeof sources.file === 'string' ? sources.file : JSON.stringify(sources.file)
    }
  })
}

function faultsOf(sources: Parameters<typeof load>[0]): readonly ConfigFault[] {
  try {
    load(sources)
  } catch (err) {
    if (err instanceof SheafError && err.code === 'ERR_CONFIG') return err.details.faults as ConfigFault[]
    throw err
  }
  return []
}

test('without anything said, the defaults are those of the contract', () => {
  expect(load({})).toEqual({
    data: './data',
    http: [{ host: '127.0.0.1', port: 8000 }],
    tlsCert: undefined,
    tlsKey: undefined,
    allowHost: [],
    trustProxy: [],
    name: 'the-host',
    minCopies: 1,
    requireCookie: false,
    volumeBytes: 1_000_000_000,
    purgeDays: 30,
    maxUploadBytes: 5 * 2 ** 40,
    cacheBytes: 64 * 2 ** 20,
    cacheTtl: 3_600,
    heic: true,
    ffmpeg: 'ffmpeg',
    places: true,
    vectorBytes: undefined,
    model: 'mobilenet',
    models: undefined,
    logLevel: 'info',
    p2p: { host: '127.0.0.1', port: 4001 },
    advertise: undefined,
    advertiseHttp: undefined,
    join: [],
    joinIsDefault: true,
    mdns: false,
    auth: 'auto',
    signup: 'off',
    legacyApi: false,
    clusterName: 'sheaf',
    clusterKeys: [],
    metrics: undefined,
    metricsToken: undefined,
    otlp: undefined,
    otlpRatio: 1,
    openCluster: false,
    archive: undefined,
    archiveKeyLines: []
  })
})

test('a node that others can reach looks for them, unless it is told where', () => {
  const found = (args: readonly string[]) => {
    const { p2p, join, joinIsDefault, mdns } = load({ args: [...args, '--open-cluster'] })
    expect(joinIsDefault).toBe(!args.includes('--join'))
    return [p2p.host, join, mdns]
  }
  expect(found(['--http', '0.0.0.0:8000'])).toEqual(['0.0.0.0', ['sheaf'], true])
  expect(found(['--join', 'a,b:1'])).toEqual(['0.0.0.0', ['a', 'b:1'], true])
  expect(found(['--p2p', '10.0.0.1:4001'])).toEqual(['10.0.0.1', ['sheaf'], true])
  expect(found(['--p2p', '127.0.0.1:0', '--join', 'a', '--http', '0.0.0.0:1'])).toEqual(['127.0.0.1', ['a'], false])
  expect(found(['--http', '0.0.0.0:8000', '--mdns', 'off'])).toEqual(['0.0.0.0', ['sheaf'], false])
})

test('the cluster key: from a file, an older one in its second line, or from the environment', () => {
  const keysIn = (text: string) =>
    loadConfig({ args: ['--cluster-key', '/f'], environment: {}, hostName: 'h', readTextFile: () => text }).clusterKeys
  expect(keysIn('0123456789abcdef\n\n  fedcba9876543210  \n')).toEqual(['0123456789abcdef', 'fedcba9876543210'])
  for (const bad of ['', 'too short', '0123456789abcdef\n'.repeat(3)]) expect(() => keysIn(bad)).toThrow(SheafError)
  const environment = { SHEAF_CLUSTER_KEY: '0123456789abcdef' }
  expect(load({ environment }).clusterKeys).toEqual(['0123456789abcdef'])
})

test('a key that is given and cannot be used is a fault, and never the same as no key', () => {
  const wayOut = expect.stringContaining('sheaf keygen')
  for (const text of ['x', ' ', '\n', '0123456789abcdef\u0000', '\uFFFD'.repeat(32)]) {
    const environment = { SHEAF_CLUSTER_KEY: text, SHEAF_OPEN_CLUSTER: 'on' }
    expect(faultsOf({ environment })).toMatchObject([{ where: 'SHEAF_CLUSTER_KEY', problem: wayOut }])
  }
  expect(faultsOf({ args: ['--http', '0.0.0.0:0', '--cluster-key', '/missing', '--open-cluster'] })).toMatchObject([
    {
      where: expect.stringContaining('--cluster-key'),
      value: '/missing',
      problem: expect.stringMatching('no such file')
    }
  ])
})

describe('a node that others can reach', () => {
  const needsKey = (where: string, value: string) => ({
    where,
    value,
    problem: expect.stringMatching(/--cluster-key FILE.*--open-cluster/)
  })

  test('needs a key, or to be told that any node may join', () => {
    for (const args of [
      ['--http', '0.0.0.0:8000'],
      ['--join', 'a']
    ]) {
      expect(faultsOf({ args })).toEqual([needsKey('--p2p, by default', '0.0.0.0:4001')])
      expect(load({ args: [...args, '--open-cluster'] })).toMatchObject({ openCluster: true, clusterKeys: [] })
      expect(load({ args: [...args, '--cluster-key', '/k'] }).clusterKeys).toHaveLength(1)
      expect(load({ args: [...args, '--cluster-key', '/k', '--open-cluster'] }).clusterKeys).toHaveLength(1)
    }
    expect(faultsOf({ args: ['--p2p', '[::]:4001'] })).toEqual([needsKey('--p2p', '[::]:4001')])
    expect(faultsOf({ environment: { SHEAF_P2P: '10.0.0.1:1' } })).toEqual([needsKey('SHEAF_P2P', '10.0.0.1:1')])
  })

  test('needs neither on loopback, wherever HTTP is', () => {
    for (const host of ['127.0.0.1', '127.1.2.3', '[::1]', 'localhost'])
      expect(faultsOf({ args: ['--http', '0.0.0.0:8000', '--p2p', `${host}:4001`] })).toEqual([])
  })

  test('is told so together with all other faults, unless one of these leaves it open', () => {
    const faults = faultsOf({ args: ['--http', '0.0.0.0:8000', '--name', '', '--min-copies', '0'] })
    expect(faults.map(({ where }) => where)).toEqual(['--name', '--min-copies', '--p2p, by default'])
    for (const args of [['--open-cluster=perhaps'], ['--cluster-key', '/missing'], ['--p2p', '1'], ['--config', '/no']])
      expect(faultsOf({ args: ['--http', '0.0.0.0:8000', ...args] })).toHaveLength(1)
  })
})

test('the token of the metrics: a line of a file; a file that is no good ends the start', () => {
  const tokenIn = (text: string) =>
    loadConfig({ args: ['--metrics-token-file', '/f'], environment: {}, hostName: 'h', readTextFile: () => text })
      .metricsToken
  expect(tokenIn('0123456789abcdef\n')).toBe('0123456789abcdef')
  for (const bad of ['', 'too short', '0123456789 abcdef', '0123456789abcdef\nfedcba9876543210', 'ä'.repeat(20)])
    expect(() => tokenIn(bad)).toThrow(SheafError)
  expect(faultsOf({ args: ['--metrics-token-file', '/missing'] })).toEqual([
    { where: '--metrics-token-file', value: '/missing', problem: expect.stringContaining('cannot be read') }
  ])
})

test('HTTP is served at several addresses, and on Unix sockets', () => {
  const http = (args: readonly string[], environment = {}) =>
    load({ args: [...args, '--open-cluster'], environment }).http
  const all = [{ host: '::', port: 8000 }, { path: '/run/sheaf.sock' }, { host: '127.0.0.1', port: 0 }]
  expect(http(['--http', '[::]:8000', '--http', 'unix:/run/sheaf.sock', '--http=127.0.0.1:0'])).toEqual(all)
  expect(http([], { SHEAF_HTTP: '[::]:8000, unix:/run/sheaf.sock,127.0.0.1:0' })).toEqual(all)
  for (const bad of ['unix:', `unix:/${'a'.repeat(107)}`, '127.0.0.1', '::1:80', `${'127.0.0.1:1,'.repeat(16)}[::1]:1`])
    expect(faultsOf({ args: ['--http', bad] }), bad).toHaveLength(1)
  const p2p = (...addresses: readonly string[]) =>
    load({ args: ['--open-cluster', ...addresses.map(it => `--http=${it}`)] }).p2p.host
  expect(p2p('unix:/run/sheaf.sock')).toBe('127.0.0.1')
  expect(p2p('unix:/run/sheaf.sock', '[::1]:1')).toBe('127.0.0.1')
  expect(p2p('127.0.0.1:1', '[::]:1')).toBe('0.0.0.0')
})

test('where browsers find the node are origins, at most four', () => {
  const origins = (...args: readonly string[]) => load({ args }).advertiseHttp
  expect(origins('--advertise-http', 'HTTPS://A.example/', '--advertise-http=http://b:8000')).toEqual([
    'https://a.example',
    'http://b:8000'
  ])
  for (const bad of ['a.example', 'http://a/path', 'http://u@a', '', 'http://a,'.repeat(4).concat('http://b')])
    expect(faultsOf({ args: ['--advertise-http', bad] }), bad).toHaveLength(1)
})

test('proxies to trust are addresses and networks', () => {
  const trusted = (text: string) => load({ args: ['--trust-proxy', text] }).trustProxy
  expect(trusted('127.0.0.1, 10.0.0.0/8,::1,fd00::/8,unix')).toEqual([
    '127.0.0.1',
    '10.0.0.0/8',
    '::1',
    'fd00::/8',
    'unix'
  ])
  for (const bad of ['proxy', '10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0/8', '', '10.0.0.0/8/8'])
    expect(faultsOf({ args: ['--trust-proxy', bad] }), bad).toHaveLength(1)
})

test('a certificate needs its key, and a key its certificate', () => {
  expect(load({ args: ['--tls-cert', '/c', '--tls-key', '/k'] })).toMatchObject({ tlsCert: '/c', tlsKey: '/k' })
  expect(faultsOf({ args: ['--tls-cert', '/c'] })).toEqual([
    { where: '--tls-cert', value: '/c', problem: 'needs --tls-key (SHEAF_TLS_KEY), too: HTTPS takes both' }
  ])
  expect(faultsOf({ environment: { SHEAF_TLS_KEY: '/k' } })).toMatchObject([{ where: 'SHEAF_TLS_KEY', value: '/k' }])
})

test('the names follow one rule, with one exception of the contract and those of OpenTelemetry', () => {
  expect(settingNames('minCopies')).toEqual({
    flag: '--min-copies',
    environment: 'SHEAF_MIN_COPIES',
    key: 'min_copies'
  })
  expect(settingNames('clusterKey').environment).toBe('SHEAF_CLUSTER_KEY_FILE')
  expect(settingNames('otlp')).toEqual({ flag: '--otlp', environment: 'OTEL_EXPORTER_OTLP_ENDPOINT', key: 'otlp' })
})

describe('the archive, and secrets', () => {
  const configOf = (args: readonly string[], environment: Record<string, string> = {}, texts = {}) =>
    loadConfig({
      args,
      environment,
      hostName: 'h',
      readTextFile: path => {
        const text = (texts as Record<string, string>)[path]
        if (text === undefined) throw new Error('ENOENT: no such file')
        return text
      }
    })
  const archiveOf = (...given: Parameters<typeof configOf>) => configOf(...given).archive
  const faults = (...given: Parameters<typeof configOf>): string[] => {
    try {
      configOf(...given)
      return []
    } catch (err) {
      return ((err as SheafError).details.faults as ConfigFault[]).map(({ where, problem }) => `${where} ${problem}`)
    }
  }
  const IN_ENVIRONMENT = { SHEAF_ARCHIVE_ACCESS_KEY_ID: 'id', SHEAF_ARCHIVE_SECRET_ACCESS_KEY: 'secret' }
  const KEY = 'k'.repeat(32)

  test('is where a bucket is named, with credentials of the environment or a file', () => {
    expect(archiveOf([])).toBeUndefined()
    expect(archiveOf(['--archive-bucket', 'b', '--cluster-name', 'our photos'], IN_ENVIRONMENT)).toEqual({
      bucket: 'b',
      endpoint: undefined,
      region: 'us-east-1',
      prefix: 'our_photos',
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret' }
    })
    const args = [
      '--archive-bucket=b',
      '--archive-endpoint=http://s3:9000/',
      '--archive-region=eu',
      '--archive-prefix=a/b'
    ]
    const files = ['--archive-credentials=/c', '--archive-key=/k']
    expect(archiveOf([...args, ...files], {}, { '/c': 'id2\nsecret2\n', '/k': `${KEY}\n` })).toEqual({
      bucket: 'b',
      endpoint: 'http://s3:9000',
      region: 'eu',
      prefix: 'a/b',
      credentials: { accessKeyId: 'id2', secretAccessKey: 'secret2' }
    })
    expect(configOf([...args, ...files], {}, { '/c': 'id2\nsecret2\n', '/k': `${KEY}\n` }).archiveKeyLines).toEqual([
      KEY
    ])
    expect(configOf([], { SHEAF_ARCHIVE_KEY: KEY }).archiveKeyLines).toEqual([KEY])
  })

  test('says what is missing or wrong, all of it, and no secret', () => {
    expect(faults(['--archive-endpoint=http://s3:9000'])).toEqual([
      '--archive-bucket is needed where an archive is set up'
    ])
    expect(faults(['--archive-bucket=b'])).toEqual([
      expect.stringMatching(/^--archive-credentials must hold the access key/)
    ])
    expect(faults(['--archive-bucket=b', '--archive-credentials=/none', '--archive-key=/none'])).toEqual([
      '--archive-credentials cannot be read: ENOENT: no such file',
      '--archive-key cannot be read: ENOENT: no such file'
    ])
    const texts = { '/c': 'only-one-line', '/k': 'too short' }
    const wrong = faults(['--archive-bucket=b', '--archive-credentials=/c', '--archive-key=/k'], {}, texts)
    expect(wrong).toHaveLength(2)
    expect(wrong.join()).not.toMatch(/only-one-line|too short/)
    expect(faults(['--archive-bucket=b', '--archive-endpoint=http://:secret@x'], IN_ENVIRONMENT)).toHaveLength(1)
    expect(faults(['--archive-bucket=b', '--archive-prefix=/a', '--archive-endpoint=ftp://x'], IN_ENVIRONMENT)).toEqual(
      [
        expect.stringMatching(/^--archive-endpoint must be a URL/),
        expect.stringMatching(/^--archive-prefix must be up to 200/)
      ]
    )
  })

  test('a secret is text, whatever an editor puts around it', () => {
    const flags = ['--cluster-key=/k', '--archive-key=/k', '--metrics-token-file=/k']
    for (const text of [`\uFEFF${KEY}\r\n`, `\r\n  ${KEY}\t`]) {
      const { clusterKeys, archiveKeyLines, metricsToken } = configOf(flags, {}, { '/k': text })
      expect([clusterKeys, archiveKeyLines, metricsToken]).toEqual([[KEY], [KEY], KEY])
    }
    for (const text of ['\uFFFD'.repeat(64), Buffer.from(KEY, 'utf16le').toString()])
      expect(faults(flags, {}, { '/k': text }).map(fault => fault.split(' ')[0])).toEqual([
        '--cluster-key',
        '--metrics-token-file',
        '--archive-key'
      ])
  })
})

describe('precedence', () => {
  type Loaded = ReturnType<typeof load>
  const read = (config: Loaded, name: (typeof LONE)[number]): unknown =>
    name === 'clusterKey' ? config.clusterKeys : config[name === 'metricsTokenFile' ? 'metricsToken' : name]
  const parsed = (name: SettingName, text: string): unknown => {
    if (name === 'clusterKey') return [`the-key-in-${text},-long-enough`]
    if (name === 'metricsTokenFile') return `the-key-in-${text},-long-enough`
    const table: Record<string, { kind: { parse(value: string): unknown } }> = SETTINGS
    return table[name]?.kind.parse(text)
  }

  /** A certificate is nothing without its key. */
  const partnerOf = (name: SettingName, given: Readonly<Record<string, boolean>>): string[] => {
    if (!Object.values(given).includes(true)) return []
    return name === 'tlsCert' ? ['--tls-key=/x'] : name === 'tlsKey' ? ['--tls-cert=/x'] : []
  }

  test('of any setting: flag, else environment, else file', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...LONE),
        fc.record({ flag: fc.boolean(), environment: fc.boolean(), file: fc.boolean() }),
        (name, given) => {
          const { flag, environment, key } = settingNames(name)
          const [first, second] = GOOD[name]
          // Each source says the other value than the one below it.
          const said = { flag: first, environment: second, file: first }
          const config = load({
            args: [...partnerOf(name, given), ...(given.flag ? [`${flag}=${said.flag}`] : [])],
            environment: {
              ...(name !== 'openCluster' && { SHEAF_OPEN_CLUSTER: 'on' }),
              ...(given.environment && { [environment]: said.environment })
            },
            file: given.file ? { [key]: said.file } : {}
          })
          const source = given.flag ? 'flag' : given.environment ? 'environment' : given.file ? 'file' : undefined
          const wanted = source === undefined ? read(load({}), name) : parsed(name, said[source])
          expect(read(config, name)).toEqual(wanted)
        }
      )
    )
  })

  test('what is overridden is not looked at', () => {
    expect(faultsOf({ args: ['--http', '127.0.0.1:1'], environment: { SHEAF_HTTP: 'nonsense' } })).toEqual([])
  })

  test('an empty variable counts as not set; an empty flag is a fault', () => {
    expect(load({ environment: { SHEAF_HTTP: '' } }).http).toEqual([{ host: '127.0.0.1', port: 8000 }])
    expect(faultsOf({ args: ['--http', ''] })).toHaveLength(1)
  })

  test('the file may be named in the environment', () => {
    const config = loadConfig({
      args: [],
      environment: { SHEAF_CONFIG: '/f' },
      hostName: 'h',
      readTextFile: path => `{"name": ${JSON.stringify(path)}}`
    })
    expect(config.name).toBe('/f')
  })
})

describe('flags', () => {
  test('take their value in either form; a switch needs none', () => {
    const config = load({ args: ['--min-copies', '2', '--name=a=b', '--require-cookie', '--purge-days', '1'] })
    expect(config).toMatchObject({ minCopies: 2, name: 'a=b', requireCookie: true, purgeDays: 1 })
    expect(load({ args: ['--require-cookie=off'] }).requireCookie).toBe(false)
  })

  test('said twice: the last counts, lists add up', () => {
    const config = load({ args: ['--name', 'a', '--name', 'b', '--allow-host', 'a', '--allow-host', 'b,c'] })
    expect(config).toMatchObject({ name: 'b', allowHost: ['a', 'b', 'c'] })
  })
})

describe('the file', () => {
  test('holds numbers, switches, texts and lists', () => {
    const file = { volume_bytes: 1e9, require_cookie: true, allow_host: ['a', 'b'], max_upload_bytes: '1Gi' }
    expect(load({ file })).toMatchObject({
      volumeBytes: 1e9,
      requireCookie: true,
      allowHost: ['a', 'b'],
      maxUploadBytes: 2 ** 30
    })
  })

  test.each([['[]'], ['null'], ['{'], ['"x"']])('%s is a fault that names the flag', file => {
    expect(faultsOf({ file })).toMatchObject([{ where: '--config', value: '/etc/sheaf.json' }])
  })

  test('a missing one is a fault', () => {
    expect(faultsOf({ args: ['--config', '/missing'] })).toMatchObject([
      { where: '--config', value: '/missing', problem: expect.stringContaining('no such file') }
    ])
  })

  test('unknown keys and values of the wrong kind are faults that name the file and the key', () => {
    const file = { colour: 'red', http: null, name: { a: 1 }, min_copies: [1], minCopies: 1 }
    expect(faultsOf({ file })).toMatchObject([
      { where: 'sheaf.json: colour', problem: 'is not a setting' },
      { where: 'sheaf.json: http', value: 'null' },
      { where: 'sheaf.json: name' },
      { where: 'sheaf.json: min_copies' },
      { where: 'sheaf.json: minCopies', problem: 'is not a setting' }
    ])
  })
})

describe('faults', () => {
  const BAD: Partial<Record<SettingName, string>> = {
    http: 'x',
    minCopies: '0',
    requireCookie: 'perhaps',
    volumeBytes: '1023Ki',
    purgeDays: '-1',
    maxUploadBytes: '0',
    logLevel: 'loud',
    p2p: '1',
    join: ',',
    mdns: '2'
  }
  const badNames = Object.keys(BAD) as SettingName[]

  test('are reported all at once, wherever they stand, each with its place and value', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...badNames), fc.constantFrom('flag', 'environment', 'file'), { minKeys: 1 }),
        fc.boolean(),
        (places, unknownFlag) => {
          const args = unknownFlag ? ['--no-such-flag'] : []
          const environment: Record<string, string> = {}
          const file: Record<string, string> = {}
          for (const [name, place] of Object.entries(places) as [SettingName, string][]) {
            const names = settingNames(name)
            if (place === 'flag') args.push(`${names.flag}=${BAD[name]}`)
            else if (place === 'environment') environment[names.environment] = BAD[name] as string
            else file[names.key] = BAD[name] as string
          }
          const faults = faultsOf({ args, environment, file })
          expect(faults).toHaveLength(Object.keys(places).length + (unknownFlag ? 1 : 0))
          for (const [name, place] of Object.entries(places) as [SettingName, string][]) {
            const { flag, environment: variable, key } = settingNames(name)
            const where = { flag, environment: variable, file: `sheaf.json: ${key}` }[place]
            expect(faults).toContainEqual(
              expect.objectContaining({ where, value: BAD[name], problem: expect.stringMatching(/^must be ./) })
            )
          }
        }
      )
    )
  })

  test('of flags: unknown ones, stray words, and values that are missing', () => {
    expect(faultsOf({ args: ['--colour', 'red', 'stray', '-x', '--name', '--http'] })).toMatchObject([
      { where: '--colour', problem: 'is not a flag of `sheaf start`' },
      { where: 'stray', problem: 'is not expected here' },
      { where: '-x', problem: 'is not a flag of `sheaf start`' },
      { where: '--name', problem: expect.stringContaining('needs a value') },
      { where: '--http', problem: expect.stringContaining('needs a value') }
    ])
  })

  test('are all in the message, a line each', () => {
    expect(() => load({ args: ['--http', 'x', '--purge-days=y'], environment: { SHEAF_LOG_LEVEL: 'z' } })).toThrow(
      /^the configuration is wrong\n {2}--http "x" must be .*\n {2}--purge-days "y" must be .*\n {2}SHEAF_LOG_LEVEL "z" must be [^\n]*$/
    )
  })
})

test('every setting is accepted from every source', () => {
  for (const value of [0, 1] as const) {
    const args = NAMES.map(name => `${settingNames(name).flag}=${GOOD[name][value]}`)
    const environment = Object.fromEntries(NAMES.map(name => [settingNames(name).environment, GOOD[name][value]]))
    const file = Object.fromEntries(NAMES.map(name => [settingNames(name).key, GOOD[name][value]]))
    expect(load({ args })).toEqual(load({ file }))
    expect(load({ environment })).toEqual(load({ file }))
  }
})

test('no model is a model that is called none', () => {
  expect(load({}).model).toBe('mobilenet')
  expect(load({ args: ['--model', 'none'] }).model).toBeUndefined()
})
