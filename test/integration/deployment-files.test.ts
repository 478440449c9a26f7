import { execFile, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { REPOSITORY } from '../support/node-process.js'

/*
 * Files that nothing here runs: they are parsed, and held against the fields of their formats that they use. A field that is
 * not listed is most often a slip of the pen; when it is not, add it.
 */

const folder = join(REPOSITORY, 'docker')
const run = promisify(execFile)

/** A map with these keys and no others, a list of one form, a choice, or a kind of value; `?` after a key: may be missing. */
type Form =
  | 'string'
  | 'number'
  | 'boolean'
  | 'any'
  | readonly [Form]
  | RegExp
  | { readonly [key: string]: Form }
  | Map<'*', Form>

/** @returns what does not fit, as `path: why` */
function misfits(value: unknown, form: Form, path = ''): string[] {
  if (form === 'any') return []
  if (typeof form === 'string') return typeof value === form ? [] : [`${path}: is no ${form}`]
  if (form instanceof RegExp) return form.test(String(value)) ? [] : [`${path}: ${String(value)} is not ${form}`]
  if (Array.isArray(form)) {
    if (!Array.isArray(value)) return [`${path}: is no list`]
    return value.flatMap((item, i) => misfits(item, form[0] as Form, `${path}[${i}]`))
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path}: is no map`]
  if (form instanceof Map) {
    return Object.entries(value).flatMap(([key, item]) => misfits(item, form.get('*') as Form, `${path}.${key}`))
  }
  const fields = new Map(
    Object.entries(form as Record<string, Form>).map(([key, field]) => [key.replace('?', ''), field])
  )
  const missing = Object.keys(form).filter(key => !key.endsWith('?') && !(key in value))
  return [
    ...missing.map(key => `${path}.${key}: is missing`),
    ...Object.entries(value).flatMap(([key, item]) => {
      const field = fields.get(key)
      return field === undefined ? [`${path}.${key}: is not known`] : misfits(item, field, `${path}.${key}`)
    })
  ]
}

const each = (form: Form): Map<'*', Form> => new Map([['*', form]])

/** @see https://github.com/compose-spec/compose-spec/blob/main/spec.md */
const COMPOSE: Form = {
  name: 'string',
  'x-node?': 'any',
  services: each({
    image: 'string',
    restart: /^unless-stopped$/,
    networks: 'any',
    ports: [/^127\.0\.0\.1:\d+:\d+$/],
    volumes: [/^(\.\/)?[a-z0-9/.-]+:\/[a-z/.]+(:ro)?$/],
    'hostname?': 'string',
    'profiles?': ['string'],
    'stop_grace_period?': /^\d+s$/,
    'read_only?': 'boolean',
    'tmpfs?': ['string'],
    'cap_drop?': ['string'],
    'security_opt?': ['string'],
    'environment?': each('string')
  }),
  networks: each({}),
  volumes: each({})
}

const METADATA: Form = { name: 'string', 'labels?': each('string') }
const PROBE: Form = {
  httpGet: { path: /^\/health\/(live|ready)$/, port: /^http$/ },
  periodSeconds: 'number',
  'timeoutSeconds?': 'number',
  'failureThreshold?': 'number'
}

/** @see https://kubernetes.io/docs/reference/kubernetes-api/ */
const KUBERNETES: Readonly<Record<string, Form>> = {
  'v1 Service': {
    apiVersion: 'string',
    kind: 'string',
    metadata: METADATA,
    spec: {
      selector: each('string'),
      ports: [{ name: 'string', port: 'number', 'targetPort?': 'string' }],
      'clusterIP?': /^None$/,
      'publishNotReadyAddresses?': 'boolean'
    }
  },
  'policy/v1 PodDisruptionBudget': {
    apiVersion: 'string',
    kind: 'string',
    metadata: METADATA,
    spec: { maxUnavailable: 'number', selector: { matchLabels: each('string') } }
  },
  'apps/v1 StatefulSet': {
    apiVersion: 'string',
    kind: 'string',
    metadata: METADATA,
    spec: {
      serviceName: 'string',
      replicas: 'number',
      podManagementPolicy: /^(Parallel|OrderedReady)$/,
      selector: { matchLabels: each('string') },
      template: {
        metadata: { labels: each('string') },
        spec: {
          terminationGracePeriodSeconds: 'number',
          enableServiceLinks: 'boolean',
          securityContext: {
            runAsNonRoot: 'boolean',
            runAsUser: 'number',
            runAsGroup: 'number',
            fsGroup: 'number',
            fsGroupChangePolicy: /^(OnRootMismatch|Always)$/,
            seccompProfile: { type: 'string' }
          },
          affinity: {
            podAntiAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                {
                  weight: 'number',
                  podAffinityTerm: { topologyKey: 'string', labelSelector: { matchLabels: each('string') } }
                }
              ]
            }
          },
          containers: [
            {
              name: 'string',
              image: 'string',
              imagePullPolicy: /^(IfNotPresent|Always|Never)$/,
              ports: [{ name: 'string', containerPort: 'number' }],
              env: [{ name: 'string', valueFrom: { secretKeyRef: { name: 'string', key: 'string' } } }],
              securityContext: {
                readOnlyRootFilesystem: 'boolean',
                allowPrivilegeEscalation: 'boolean',
                capabilities: { drop: ['string'] }
              },
              resources: { requests: each('string'), limits: each('string') },
              startupProbe: PROBE,
              livenessProbe: PROBE,
              readinessProbe: PROBE,
              volumeMounts: [{ name: 'string', mountPath: 'string' }]
            }
          ],
          volumes: [{ name: 'string', emptyDir: { medium: 'string', sizeLimit: 'string' } }]
        }
      },
      volumeClaimTemplates: [
        { metadata: METADATA, spec: { accessModes: ['string'], resources: { requests: each('string') } } }
      ]
    }
  }
}

interface StatefulSet {
  readonly spec: {
    readonly serviceName: string
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly volumeMounts: readonly { name: string }[]
          readonly [probe: string]: unknown
        }[]
        readonly volumes: readonly { name: string }[]
      }
    }
    readonly volumeClaimTemplates: readonly { metadata: { name: string } }[]
  }
}

const text = (name: string): string => readFileSync(join(folder, name), 'utf8')

const dockerfile = text('Dockerfile')

/** @returns whether it is installed; says so when it is not */
function has(tool: string): boolean {
  if (spawnSync(tool, ['--version']).error === undefined) return true
  process.stderr.write(`\n  SKIPPED: ${tool} is not installed\n\n`)
  return false
}

test('what does not fit is found', () => {
  const form: Form = { a: 'number', 'b?': ['string'] }
  expect(misfits({ a: 1, b: ['x'] }, form)).toEqual([])
  expect(misfits({ b: [1], c: 2 }, form)).toEqual(['.a: is missing', '.b[0]: is no string', '.c: is not known'])
})

describe('compose.yaml', () => {
  const compose = parse(text('compose.yaml'), { merge: true }) as {
    services: Record<string, { volumes: string[]; profiles?: string[]; networks: { nodes?: { aliases: string[] } } }>
    volumes: object
  }

  test('has the fields of its format', () => {
    expect(misfits(compose, COMPOSE)).toEqual([])
  })

  test('gives each node a volume of its own, and the name that nodes look up', () => {
    const nodes = Object.values(compose.services).filter(({ profiles }) => profiles === undefined)
    expect(nodes).toHaveLength(3)
    for (const { networks } of nodes) expect(networks.nodes?.aliases).toEqual(['sheaf'])
    const named = Object.values(compose.services).flatMap(({ volumes }) =>
      volumes.flatMap(volume => (volume.startsWith('.') ? [] : [volume.split(':')[0] as string]))
    )
    expect(new Set(named).size).toBe(named.length)
    expect(named.sort()).toEqual(Object.keys(compose.volumes).sort())
  })
})

describe('kubernetes.yaml', () => {
  const documents = parseAllDocuments(text('kubernetes.yaml')).map(document => {
    expect(document.errors).toEqual([])
    return document.toJS() as {
      apiVersion: string
      kind: string
      metadata: { name: string }
      spec: Record<string, unknown>
    }
  })

  test('has the fields of its formats', () => {
    for (const document of documents) {
      const form = KUBERNETES[`${document.apiVersion} ${document.kind}`]
      expect(form, document.kind).toBeDefined()
      expect(misfits(document, form as Form)).toEqual([])
    }
  })

  test('its parts name each other', () => {
    const set = documents.find(({ kind }) => kind === 'StatefulSet') as unknown as StatefulSet
    const headless = documents.find(({ kind, spec }) => kind === 'Service' && spec.clusterIP === 'None')
    // nodes look up the name of the headless service
    expect([headless?.metadata.name, set.spec.serviceName]).toEqual(['sheaf', 'sheaf'])
    expect(headless?.spec.publishNotReadyAddresses).toBe(true)
    const [container] = set.spec.template.spec.containers
    const mounted = container?.volumeMounts.map(({ name }) => name)
    const claimed = set.spec.volumeClaimTemplates.map(({ metadata }) => metadata.name)
    expect(mounted?.sort()).toEqual([...claimed, ...set.spec.template.spec.volumes.map(({ name }) => name)].sort())
    expect(container).toMatchObject({
      livenessProbe: { httpGet: { path: '/health/live' } },
      readinessProbe: { httpGet: { path: '/health/ready' } }
    })
    expect(set.spec.template.spec).toMatchObject({ securityContext: { runAsUser: 10001, fsGroup: 10001 } })
    expect(dockerfile).toContain('USER 10001:10001')
  })
})

test('workflows are YAML with jobs of steps', () => {
  const workflows = join(REPOSITORY, '.github/workflows')
  for (const name of readdirSync(workflows)) {
    const { on, jobs } = parse(readFileSync(join(workflows, name), 'utf8')) as {
      on: unknown
      jobs: Record<string, { 'runs-on': unknown; needs?: string | string[]; steps: { uses?: string; run?: string }[] }>
    }
    expect(on, name).toBeDefined()
    for (const { needs = [], steps, ...job } of Object.values(jobs)) {
      expect(job['runs-on'], name).toBeDefined()
      for (const needed of [needs].flat()) expect(Object.keys(jobs)).toContain(needed)
      for (const { uses, run: script } of steps) {
        expect([uses, script].filter(Boolean), name).toHaveLength(1)
        if (script !== undefined) expect(spawnSync('bash', ['-n'], { input: script }).status, script).toBe(0)
      }
    }
  }
})

test('sheaf.service is a unit', { timeout: 30_000 }, async context => {
  if (!has('systemd-analyze')) context.skip()
  const { stderr } = await run('systemd-analyze', ['verify', join(folder, 'sheaf.service')])
  expect(stderr.split('\n').filter(line => line.includes('sheaf'))).toEqual([])
})

test('the scripts are clean', { timeout: 60_000 }, async context => {
  if (!has('shellcheck')) context.skip()
  const isScript = (path: string): boolean => /^#!.*\b(ba)?sh\b/.test(readFileSync(path, 'utf8').split('\n')[0] ?? '')
  const scripts = ['docker', 'test/docker', '.ci'].flatMap(name => {
    const entries = readdirSync(join(REPOSITORY, name), { withFileTypes: true })
    return entries.filter(entry => entry.isFile()).map(entry => join(REPOSITORY, name, entry.name))
  })
  const found = [...scripts.filter(isScript), join(folder, 'lib.sh')]
  expect(found.length).toBeGreaterThan(8)
  await run('shellcheck', found)
})

test('.dockerignore lets through what the Dockerfile copies, and nothing else', () => {
  const allowed = readFileSync(join(REPOSITORY, '.dockerignore'), 'utf8')
    .split('\n')
    .flatMap(line => (line.startsWith('!') ? [line.slice(1)] : []))
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, sources]) =>
    (sources as string).split(' ')
  )
  for (const source of copied)
    expect(
      allowed.some(path => path === source || path.startsWith(`${source}/`)),
      source
    ).toBe(true)
  for (const path of allowed)
    expect(
      copied.some(source => path === source || path.startsWith(`${source}/`)),
      path
    ).toBe(true)
})
