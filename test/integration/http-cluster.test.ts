import { expect, onTestFinished, test } from 'vitest'
import type { ClusterMember } from '../../src/cluster/cluster-status.js'
import { SheafError } from '../../src/core/errors.js'
import type { NodeId } from '../../src/domain/ids.js'
import { type HttpFixture, type HttpFixtureInit, startHttp } from '../support/http-fixture.js'
import { answerJson, cli, fakeNode } from './cli-harness.js'

async function start(init: HttpFixtureInit = {}): Promise<HttpFixture> {
  const http = await startHttp(init)
  onTestFinished(() => http.close())
  return http
}

const AT = Date.UTC(2026, 10, 20, 14, 3)

const MEMBERS: readonly ClusterMember[] = [
  {
    id: '12D3KooWOne' as NodeId,
    name: 'one',
    addresses: ['/ip4/10.0.0.1/tcp/4001/p2p/12D3KooWOne', '/ip4/10.0.0.2/tcp/4001'],
    self: true,
    state: 'alive',
    lastSeenAtMs: AT,
    joinedAtMs: AT - 86_400_000,
    lagBytes: 2_400_000,
    disk: { freeBytes: 130_000_000_000, totalBytes: 200_000_000_000, isFull: true },
    version: '0.1.0',
    formats: { min: 2, max: 2 },
    clockSkewMs: 0,
    purgedToMs: AT - 3_600_000,
    http: ['https://one.example'],
    startedAtMs: AT - 60_000,
    photos: 1_000,
    directoryDigest: 'ab',
    bytesPerS: 1_200,
    etaS: 2_000
  },
  {
    id: '12D3KooWTwo' as NodeId,
    name: 'two\u001b[2J',
    addresses: [],
    self: false,
    state: 'down',
    lastSeenAtMs: undefined,
    joinedAtMs: undefined,
    lagBytes: undefined,
    disk: undefined,
    version: undefined,
    clockSkewMs: undefined,
    purgedToMs: undefined
  }
]

function clusterOf(removed: NodeId[] = []): NonNullable<HttpFixtureInit['cluster']> {
  return {
    members: async () => MEMBERS,
    recordFormat: () => 2,
    remove: async id => {
      if (id !== MEMBERS[1]?.id) throw new SheafError('ERR_NO_SUCH_MEMBER')
      removed.push(id)
    }
  }
}

test('the record format of the cluster is shown, and who reads another one', async () => {
  const lone = await start()
  expect(await lone.client.json('GET', '/cluster', 200)).toMatchObject({ record_format: 2 })
  expect((await cli(['members'], { node: lone.url })).stderr).not.toContain('format')
  const formatNotes = async (format: number): Promise<string[]> => {
    const members = async () => MEMBERS.map(member => ({ ...member, formats: member.formats && { min: 2, max: 3 } }))
    const http = await start({ cluster: { ...clusterOf(), members, recordFormat: () => format } })
    const { stderr } = await cli(['members'], { node: http.url })
    return stderr.split('\n').filter(line => line.includes('format'))
  }
  expect(await formatNotes(2)).toEqual(['the cluster has record format 2 until all members read more, as do: one'])
  expect(await formatNotes(3)).toEqual([])
  expect(await formatNotes(4)).toEqual(['the cluster has record format 4, which is not read by: one; upgrade'])
})

test('sheaf member remove gives a member up', async () => {
  const removed: NodeId[] = []
  const http = await start({ cluster: clusterOf(removed) })
  expect(await cli(['member', 'remove', '12D3KooWTwo'], { node: http.url })).toMatchObject({
    code: 0,
    stdout: '12D3KooWTwo\n'
  })
  expect(removed).toEqual(['12D3KooWTwo'])
  const unknown = await cli(['member', 'remove', 'nobody'], { node: http.url })
  expect(unknown.code).toBe(1)
  expect(unknown.stderr).toContain('ERR_NO_SUCH_MEMBER')
  expect((await cli(['member', 'add', '12D3KooWTwo'], { node: http.url })).code).toBe(2)
  expect(removed).toHaveLength(1)
})

test('sheaf leave follows the job that ends the node', async () => {
  const http = await start()
  expect(await cli(['leave'], { node: http.url })).toMatchObject({ code: 0 })
})

test('GET /cluster shows a lone node as a cluster of one', async () => {
  const http = await start()
  const { members, ...rest } = await http.client.json<{ members: unknown[] }>('GET', '/cluster', 200)
  expect(rest).toEqual({
    record_format: 2,
    purged_to: '2026-11-20T00:00:00.000Z',
    laid_out: [],
    laid_out_alarm: false
  })
  expect(members).toEqual([
    {
      id: '12D3KooWTest',
      name: 'box',
      addresses: [],
      self: true,
      state: 'alive',
      last_seen: expect.stringMatching(/^\d{4}-.*Z$/),
      joined_at: null,
      lag_bytes: 0,
      disk: { free_bytes: 1_000_000, total_bytes: 2_000_000, full: false },
      version: '0.0.0',
      record_formats: [2, 2],
      clock_skew_ms: 0,
      purged_to: '2026-11-20T00:00:00.000Z',
      http: [],
      started_at: null,
      photos: null,
      directory_digest: null,
      bytes_per_s: null,
      eta_s: null
    }
  ])
})

test('GET /cluster shows members in the forms of the contract, null for what is not known', async () => {
  const http = await start({ cluster: clusterOf() })
  const { members, purged_to } = await http.client.json<{ members: unknown[]; purged_to: unknown }>(
    'GET',
    '/cluster',
    200
  )
  expect(purged_to).toBeNull()
  expect(members).toEqual([
    {
      id: '12D3KooWOne',
      name: 'one',
      addresses: MEMBERS[0]?.addresses,
      self: true,
      state: 'alive',
      last_seen: '2026-11-20T14:03:00.000Z',
      joined_at: '2026-11-19T14:03:00.000Z',
      lag_bytes: 2_400_000,
      disk: { free_bytes: 130_000_000_000, total_bytes: 200_000_000_000, full: true },
      version: '0.1.0',
      record_formats: [2, 2],
      clock_skew_ms: 0,
      purged_to: '2026-11-20T13:03:00.000Z',
      http: ['https://one.example'],
      started_at: '2026-11-20T14:02:00.000Z',
      photos: 1_000,
      directory_digest: 'ab',
      bytes_per_s: 1_200,
      eta_s: 2_000
    },
    {
      id: '12D3KooWTwo',
      name: 'two\u001b[2J',
      addresses: [],
      self: false,
      state: 'down',
      last_seen: null,
      joined_at: null,
      lag_bytes: null,
      disk: null,
      version: null,
      record_formats: null,
      clock_skew_ms: null,
      purged_to: null,
      http: [],
      started_at: null,
      photos: null,
      directory_digest: null,
      bytes_per_s: null,
      eta_s: null
    }
  ])
})

test('sheaf members lists them for people and for machines', async () => {
  const http = await start({ cluster: clusterOf() })
  const { code, stdout, stderr } = await cli(['members'], { node: http.url })
  expect([code, stderr]).toEqual([0, ''])
  const [head, one, two, ...rest] = stdout.split('\n')
  expect(head).toMatch(/^ID +NAME +STATE +LAST SEEN +BEHIND +FREE +PURGED TO +ADDRESS$/)
  expect(one).toMatch(
    /^12D3KooWOne +one +this node +2026-11-\d\d \d\d:\d\d +2\.40 MB +130 GB +2026-11-\d\d +\/ip4\/10\.0\.0\.1\/tcp\/4001\/p2p\/12D3KooWOne$/
  )
  expect(two).toMatch(/^12D3KooWTwo +two�\[2J +down +never +\? +\? +\?$/)
  expect(rest).toEqual([''])
  const machine = await cli(['members', '--json'], { node: http.url })
  expect(JSON.parse(machine.stdout)).toEqual(await http.client.json('GET', '/cluster', 200))
})

test('sheaf status counts members, and shows replication where the node tells of it', async () => {
  const http = await start({ cluster: clusterOf() })
  const { code, stdout } = await cli(['status'], { node: http.url })
  expect(code).toBe(0)
  expect(stdout).toMatch(/\nmembers +2 \(1 alive, 1 down\)\n$/)

  const base = await http.client.json<object>('GET', '/status', 200)
  const shown = async (repair: object, oldest: number | null): Promise<string> => {
    const node = await fakeNode((request, response) =>
      answerJson(
        response,
        200,
        request.url === '/cluster' ? { members: [] } : { ...base, repair, oldest_unreplicated_s: oldest }
      )
    )
    return (await cli(['status'], { node })).stdout
  }
  expect(await shown({ backlog_bytes: 5_000_000, bytes_per_s: 2_000_000, eta_s: 2.5 }, 75)).toMatch(
    /\nmembers +0 \(\)\nbehind +5\.00 MB, coming in at 2\.00 MB\/s, 3 s left\nonly here +for 1 min 15 s\n$/
  )
  expect(await shown({ backlog_bytes: 5_000_000, bytes_per_s: 0, eta_s: null }, null)).toMatch(
    /\nbehind +5\.00 MB, coming in at 0 B\/s\n$/
  )
  expect(await shown({ backlog_bytes: 0, bytes_per_s: 0, eta_s: 0 }, null)).toMatch(/\nbehind +nothing\n$/)
})
