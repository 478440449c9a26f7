import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { startHttp } from '../support/http-fixture.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { answerJson, type CliOptions, type CliResult, cli, fakeNode, tokenFile } from './cli-harness.js'

const { http } = httpForEachTest()
const PASSWORD = 'correct horse'
const TOKEN_FLAG = ['--token-file', tokenFile()]

let home: string
beforeEach(async () => {
  home = await temporaryDirectory()
})

/** As a person on a machine that is not the node's: with a home, and without the operator's token. */
function run(args: readonly string[], options: CliOptions & { readonly at?: string } = {}): Promise<CliResult> {
  const { at = http.url, environment, ...rest } = options
  return cli(args, { environment: { SHEAF_NODE: at, HOME: home, SHEAF_DATA: home, ...environment }, ...rest })
}

async function done(args: readonly string[], options: CliOptions & { readonly at?: string } = {}): Promise<string> {
  const { code, stdout, stderr } = await run(args, options)
  expect([code, stderr], args.join(' ')).toEqual([0, expect.anything()])
  return stdout
}

const piped = (...lines: string[]): CliOptions => ({ piped: lines.map(line => `${line}\n`).join('') })

async function addUser(name: string, ...flags: string[]): Promise<void> {
  await done(['user', 'add', name, ...flags, ...TOKEN_FLAG], piped(PASSWORD))
}

function loginsFile(): Promise<string> {
  return readFile(join(home, '.config', 'sheaf', 'logins.json'), 'utf8')
}

test('an invite is printed as an address, listed and taken back', async () => {
  await addUser('anna', '--admin')
  const closed = await run(['user', 'invite', ...TOKEN_FLAG])
  expect([closed.code, closed.stderr]).toEqual([1, expect.stringContaining('--signup invite')])
  const open = await startHttp({ signup: 'invite' })
  const at = { at: open.url }
  await done(['user', 'add', 'anna', '--admin', ...TOKEN_FLAG], { ...piped(PASSWORD), ...at })
  const address = await done(['user', 'invite', '--role', 'guest', '--label', 'Ben', ...TOKEN_FLAG], at)
  expect(address).toMatch(new RegExp(`^${open.url}/#/invite/[\\w-]{64}\n$`))
  expect(await done(['user', 'invites', ...TOKEN_FLAG], at)).toMatch(/guest +Ben/)
  const [{ id } = { id: '' }] = await open.accounts.invites.list()
  expect(await done(['user', 'uninvite', id, ...TOKEN_FLAG], at)).toBe(`${id}\n`)
  expect(await done(['user', 'invites', ...TOKEN_FLAG], at)).not.toContain('Ben')
  const unknown = await run(['user', 'uninvite', 'x', ...TOKEN_FLAG], at)
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('ERR_BAD_ID')])
  await open.close()
})

describe('log-ins', () => {
  beforeEach(() => addUser('anna', '--admin'))

  test('a node with accounts says what to do, and after a log-in all commands work until the log-out', async () => {
    const refused = await run(['ls'])
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('`sheaf login NAME`')])
    expect((await run(['login', 'anna'], piped('wrong horse'))).stderr).toContain('ERR_BAD_CREDENTIALS')
    await done(['login', 'ANNA'], piped(PASSWORD))
    const photo = join(home, 'a.bin')
    await writeFile(photo, 'a')
    await done(['put', photo])
    await done(['import', photo])
    expect(await done(['ls'])).toContain('a.bin')
    expect(await done(['whoami'])).toMatch(/name +anna\n.*role +admin/s)
    await done(['export', join(home, 'out')])
    await done(['logout'])
    expect(await loginsFile()).not.toContain('anna')
    expect((await run(['ls'])).code).toBe(1)
    expect(http.accounts.users.list(undefined, 1).users.map(({ id }) => http.accounts.sessions.list(id))).toEqual([[]])
  })

  test('an access token that has ended is renewed, also where the clocks differ', async () => {
    await done(['login', 'anna'], piped(PASSWORD))
    const path = join(home, '.config', 'sheaf', 'logins.json')
    const file = JSON.parse(await loginsFile())
    const entry = file.logins[http.url]
    for (const spoilt of [{ access_token: 'ended' }, { expires_at: '2020-01-01T00:00:00Z' }]) {
      await writeFile(path, JSON.stringify({ ...file, logins: { [http.url]: { ...entry, ...spoilt } } }))
      await done(['ls'])
      const after = JSON.parse(await loginsFile()).logins[http.url]
      expect(after.refresh_token).toBe(entry.refresh_token)
      expect(Date.parse(after.expires_at)).toBeGreaterThan(Date.now())
    }
  })

  test('what was ended elsewhere says so, and another log-in helps', async () => {
    await done(['login', 'anna'], piped(PASSWORD))
    const [user] = http.accounts.users.list(undefined, 1).users
    await http.accounts.sessions.endOthers(user?.id ?? ('' as never))
    expect((await run(['ls'])).stderr).toContain('`sheaf login`')
    await done(['logout'])
    await done(['login', 'anna'], piped(PASSWORD))
    await done(['ls'])
  })

  test('no other node gets the token of this one', async () => {
    await done(['login', 'anna'], piped(PASSWORD))
    const seen: (string | undefined)[] = []
    const other = await fakeNode((request, response) => {
      seen.push(request.headers.authorization)
      answerJson(response, 200, { photos: [], next_cursor: null, total: 0 })
    })
    await done(['ls', '--json'], { at: other })
    expect(seen.length).toBeGreaterThan(0)
    expect(new Set(seen)).toEqual(new Set([undefined]))
  })

  test('each node has a log-in of its own, and a name is needed once', async () => {
    const second = await startHttp()
    try {
      await done(['login', 'anna'], piped(PASSWORD))
      expect((await run(['login'], { at: second.url, ...piped(PASSWORD) })).stderr).toContain('sheaf login NAME')
      await done(['login'], piped(PASSWORD))
      expect(await done(['ls', '--json'], { at: second.url })).toBe('')
    } finally {
      await second.close()
    }
  })

  test('log-ins are listed and ended', async () => {
    await done(['login', 'anna', '--label', 'tablet'], piped(PASSWORD))
    await done(['login', 'anna'], piped(PASSWORD))
    const sessions = (await done(['session', 'ls', '--json']))
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(sessions.map(({ label, current }) => [label, current])).toEqual([
      ['sheaf login', true],
      ['tablet', false]
    ])
    expect(await done(['session', 'ls'])).toMatch(/sheaf login, this one\n.*tablet\n/)
    expect((await run(['session', 'end'])).code).toBe(2)
    await done(['session', 'end', sessions[1].session_id])
    expect(await done(['session', 'end', '--others', '--json'])).toBe('{"ended":0}\n')
    await done(['ls'])
  })

  test('an API key is printed once, and does what its scopes say', async () => {
    await done(['login', 'anna'], piped(PASSWORD))
    expect((await run(['key', 'create'])).code).toBe(2)
    const secret = await done(['key', 'create', '--scope', 'read', '--label', 'frame', '--expires', '2099-01-01'])
    expect(secret).toMatch(/^sheaf_\S+\n$/)
    const key = join(home, 'key')
    await writeFile(key, secret)
    await done(['logout'])
    await done(['ls', '--api-key-file', key])
    const byKey = { environment: { SHEAF_TOKEN: secret.trim() } }
    expect((await run(['put', key], byKey)).stderr).toContain('ERR_FORBIDDEN')
    await done(['login', 'anna'], piped(PASSWORD))
    expect(await done(['key', 'ls'])).toMatch(/ID.*\n\S+ .* 2099-01-01 .*read +frame\n$/)
    const { key_id: id } = JSON.parse(await done(['key', 'ls', '--json']))
    expect(await done(['key', 'rm', id])).toBe(`${id}\n`)
    expect((await run(['ls'], byKey)).stderr).toContain('SHEAF_TOKEN')
  })
})

describe('accounts', () => {
  test('the first one is an administrator, made by the operator; others are made by either', async () => {
    expect((await run(['user', 'add', 'ben', ...TOKEN_FLAG], piped(PASSWORD))).stderr).toContain('administrator')
    await addUser('anna', '--admin', '--display', 'Anna \u202E')
    await done(['login', 'anna'], piped(PASSWORD))
    await done(['user', 'add', 'ben', '--role', 'guest', '--no-password', '--mail', 'ben@example.org'])
    expect((await run(['user', 'add', 'c', '--role', 'guest', '--admin'])).code).toBe(2)
    const [, anna, ben] = (await done(['user', 'ls'])).split('\n')
    expect(anna).toMatch(/^anna +admin +open .* Anna �$/)
    expect(ben).toMatch(/^ben +guest +open .* no password$/)
    expect(await done(['user', 'show', 'BEN'])).toMatch(/name +ben\n.*mail +ben@example.org\n/s)
    expect(JSON.parse(await done(['user', 'show', '--json'])).name).toBe('anna')
    expect(JSON.parse(await done(['user', 'role', 'ben', 'user', '--json'])).role).toBe('user')
    expect(JSON.parse(await done(['user', 'disable', 'ben', '--json', ...TOKEN_FLAG])).state).toBe('disabled')
    expect(JSON.parse(await done(['user', 'enable', 'ben', '--json'])).state).toBe('open')
    const room = JSON.parse(await done(['user', 'quota', 'ben', '50GB', '--photos', '7', '--json']))
    expect([room.quota, room.usage]).toEqual([
      { bytes: 50_000_000_000, photos: 7 },
      { bytes: 0, photos: 0 }
    ])
    expect(await done(['user', 'quota', 'ben', 'none'])).toMatch(/photos +0 of 7, 0 B\n/)
    for (const bad of [['50XB'], ['none', '--photos', '-1'], ['none', '--photos', '1.5']])
      expect((await run(['user', 'quota', 'ben', ...bad])).code).toBe(2)
    expect((await run(['user', 'adopt', 'ben'])).code).toBe(2) // it asks first, and there is nobody to ask
    expect(await done(['user', 'adopt', 'ben', '--yes'])).toMatch(/adopted +0\n/)
    expect((await run(['user', 'close', 'ben', '--photos', 'anna'])).code).toBe(2)
    expect(await done(['user', 'close', 'ben', '--photos', 'to:anna'])).toMatch(/state +closed\nclosed until +2/)
    expect(JSON.parse(await done(['user', 'enable', 'ben', '--json'])).closed_until).toBe(null)
    expect((await run(['user', 'close', 'anna'], piped('not it'))).stderr).toContain('ERR_BAD_CREDENTIALS')
    expect((await run(['user', 'disable', 'nobody'])).stderr).toContain('no account has the name "nobody"')
  })

  test('one changes the own password with the old one and stays logged in; the operator sets any', async () => {
    await addUser('anna', '--admin')
    await addUser('ben')
    await done(['login', 'ben'], piped(PASSWORD))
    expect((await run(['user', 'passwd'], piped('not the old one', 'battery staple'))).code).toBe(1)
    await done(['user', 'passwd'], piped(PASSWORD, 'battery staple'))
    await done(['ls'])
    const others = await run(['user', 'passwd', 'anna'], piped('battery staple'))
    expect([others.code, others.stderr]).toEqual([1, expect.stringContaining('ERR_FORBIDDEN')])
    await done(['user', 'passwd', 'ben', ...TOKEN_FLAG], piped('third staple'))
    expect((await run(['ls'])).stderr).toContain('`sheaf login`')
    await done(['login', 'ben'], piped('third staple'))
  })

  test('an album is shared by name, shown, taken away and handed over', async () => {
    await addUser('anna', '--admin')
    await addUser('ben')
    await done(['login', 'anna'], piped(PASSWORD))
    const { album_id: album } = JSON.parse(await done(['albums', 'make', 'Meer', '--json'])) as { album_id: string }
    expect(await done(['albums', 'shares', album])).toMatch(/^WHO +ROLE .*\nanna +owner *\n$/)
    const shared = await done(['albums', 'share', album, 'ben', 'manager', '--until', '2099-01-02'])
    expect(shared).toMatch(/\nben +manager +2099-01-0\d.* +anna *\n$/)
    expect((await run(['albums', 'share', album, 'ben', 'owner'])).code).toBe(2)
    expect((await run(['albums', 'share', album, 'public', 'manager'])).stderr).toContain('ERR_BAD_PARAMETER')
    expect((await run(['albums', 'share', album, 'carl', 'viewer'])).stderr).toContain('carl')
    expect(JSON.parse(await done(['albums', 'unshare', album, 'ben', '--json'])).shares).toEqual([])
    expect(await done(['albums', 'give', album, 'ben'])).toMatch(/\nben +owner/)
  })

  test('a link is made, of an album or of photos, printed as an address, listed and withdrawn', async () => {
    await addUser('anna', '--admin')
    await done(['login', 'anna'], piped(PASSWORD))
    const { album_id: album } = JSON.parse(await done(['albums', 'make', 'Meer', '--json'])) as { album_id: string }
    const address = await done(['link', 'create', album, '--label', 'Grandma', '--expires', 'never'])
    expect(address).toMatch(new RegExp(`^${http.url}/#/s/[\\w-]{32}\n$`))
    const photo = join(home, 'a.bin')
    await writeFile(photo, 'a')
    const { photo_id: id } = JSON.parse(await done(['put', photo, '--json'])) as { photo_id: string }
    const flags = ['--password', '--no-metadata', '--no-download']
    const made = await done(['link', 'create', '--photos', id, ...flags, '--json'], piped('sesame open'))
    const { link } = JSON.parse(made) as { link: { link_id: string } }
    expect(link).toMatchObject({ album_id: null, has_password: true, metadata: false, download: false })
    expect(await done(['link', 'ls'])).toMatch(
      /\n.* photos +password, pictures only *\n.* never +[\w-]{36} +Grandma\n$/
    )
    expect(await done(['link', 'ls', '--album', album])).not.toContain('password')
    expect(await done(['link', 'rm', link.link_id])).toBe(`${link.link_id}\n`)
    expect((await done(['link', 'ls'])).trim().split('\n')).toHaveLength(2)
    expect((await run(['link', 'create', album, '--photos', id])).stderr).toContain('ERR_BAD_PARAMETER')
    expect((await run(['link', 'create', album, '--expires', 'soon'])).code).toBe(2)
    expect((await run(['link', 'create', album, '--password'], piped(''))).stderr).toContain('password')
    expect((await run(['link', 'rm', album])).stderr).toContain('ERR_LINK_NOT_FOUND')
  })

  test('a group is made, filled, shown, shared with by name, and deleted', async () => {
    await addUser('anna', '--admin')
    for (const name of ['ben', 'carl']) await addUser(name)
    await done(['login', 'anna'], piped(PASSWORD))
    expect(await done(['group', 'ls'])).toBe('')
    const { group_id: id } = JSON.parse(await done(['group', 'create', 'Family', '--json'])) as { group_id: string }
    expect(await done(['group', 'add', 'family', 'ben', 'carl'])).toMatch(/\nben +member\ncarl +member\n/)
    expect(await done(['group', 'add', id, 'ben', '--manager'])).toMatch(/\nben +manager\n/)
    expect(await done(['group', 'rename', id, 'Clan'])).toMatch(/^name +Clan\nid +.*\n(.*\n)*anna +owner/)
    await done(['group', 'rm', 'Clan', 'carl'])
    expect(await done(['group', 'show', 'Clan'])).not.toContain('carl')
    expect(await done(['group', 'ls'])).toMatch(new RegExp(`^NAME.*\\nClan +2 +owner +${id}\\n$`))
    expect(JSON.parse(await done(['group', 'ls', '--json']))).toMatchObject({ name: 'Clan', count: 2 })
    const { album_id: album } = JSON.parse(await done(['albums', 'make', 'Meer', '--json'])) as { album_id: string }
    expect(await done(['albums', 'share', album, 'group:clan', 'viewer'])).toMatch(/\ngroup:Clan +viewer/)
    expect((await run(['albums', 'share', album, 'group:Clan', 'manager'])).stderr).toContain('ERR_BAD_PARAMETER')
    expect((await run(['albums', 'share', album, 'group:Nobody', 'viewer'])).stderr).toContain('sheaf group ls')
    expect(JSON.parse(await done(['albums', 'unshare', album, `group:${id}`, '--json'])).shares).toEqual([])
    await done(['group', 'create', 'CLAN'])
    expect((await run(['group', 'show', 'Clan'])).stderr).toContain('several groups')
    await done(['group', 'delete', id])
    expect((await run(['group', 'show', id])).stderr).toContain('ERR_GROUP_NOT_FOUND')
  })

  test('the operator follows what only the operator starts', async () => {
    await addUser('anna', '--admin')
    expect(await done(['leave', '--json', '--token-file', tokenFile()])).toContain('"done"')
    expect(await done(['leave', '--json'], { environment: { SHEAF_TOKEN_FILE: tokenFile() } })).toContain('"done"')
    await done(['login', 'anna'], piped(PASSWORD))
    expect(await done(['leave', '--json'])).toContain('"done"')
  })
})
