import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { HttpClient } from '../../support/http-client.js'
import { NodeProcess } from '../../support/node-process.js'
import { until } from '../../support/until.js'
import { barriers } from '../../support/web/barriers.js'
import { LOOKS, type PageInit, SKIPS_PAGES } from '../../support/web/browser.js'
import { pagesForTests } from '../../support/web/pages-for-tests.js'

/* Albums that people share with one another, on the page of a node. */
const PASSWORD = 'correct horse battery staple'
/** What the browser itself says of the answers that are asked for here: nobody is logged in, may not, or is called so. */
const browser = pagesForTests('page-of-shares', { forgives: /status of (401|403|404) / })
let node: NodeProcess
let client: HttpClient
/** Of anna. */
let album: string
/** Of everyone: it was made before there were accounts. */
let older: string

interface Sharing {
  readonly owner: { readonly name: string } | null
  readonly role: string
  readonly shares: readonly { readonly role: string; readonly expires_at: string | null }[]
}

const bodyOf = (json: object): { readonly body: Buffer } => ({ body: Buffer.from(JSON.stringify(json)) })

/** Asks as a program of somebody does. */
async function askAs<Json>(name: string, method: string, path: string, status: number, json?: object): Promise<Json> {
  const headers = { 'content-type': 'application/json' }
  const login = bodyOf({ name, password: PASSWORD })
  const { access_token } = await client.json<{ access_token: string }>('POST', '/v1/tokens', 200, { headers, ...login })
  return await client.json<Json>(method, path, status, {
    headers: { ...(json && headers), authorization: `Bearer ${access_token}` },
    ...(json && bodyOf(json))
  })
}

const sharingFor = (name: string, id = album): Promise<Sharing> => askAs(name, 'GET', `/v1/albums/${id}/shares`, 200)

async function openAs(name: string, id: string, look: PageInit = {}): Promise<Page> {
  const page = await browser.open(`${node.url}/#/album/${id}`, look)
  page.setDefaultTimeout(30_000)
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: /^(Meer|before)$/ }).waitFor()
  return page
}

const shareButton = (page: Page): Locator => page.getByRole('button', { name: 'Share', exact: true })

async function openShares(page: Page): Promise<Locator> {
  await shareButton(page).click()
  const dialog = page.getByRole('dialog', { name: /^Share “/ })
  await dialog.waitFor()
  return dialog
}

/** Who has access, as the dialog says. */
const rowsOf = (dialog: Locator): Promise<string[]> => dialog.getByRole('listitem').locator('strong').allInnerTexts()

const isOffered = (page: Page): Promise<boolean> => shareButton(page).isVisible()

describe.skipIf(SKIPS_PAGES).sequential('albums that are shared', () => {
  beforeAll(async () => {
    node = await NodeProcess.start({ dataDir: join(browser.folder, 'data') })
    client = new HttpClient(node.url)
    const headers = { 'content-type': 'application/json' }
    const made = { headers, ...bodyOf({ title: 'before' }) }
    older = (await client.json<{ album_id: string }>('POST', '/v1/albums', 201, made)).album_id
    for (const [name, role] of [
      ['root', 'admin'],
      ['anna', 'user'],
      ['ben', 'user'],
      ['cleo', 'guest']
    ])
      await client.json('POST', '/v1/users', 201, {
        headers: { ...headers, authorization: `Bearer ${node.operatorToken}` },
        ...bodyOf({ name, password: PASSWORD, role })
      })
    album = (await askAs<{ album_id: string }>('anna', 'POST', '/v1/albums', 201, { title: 'Meer' })).album_id
    return () => client.close()
  })

  it('are shared by their owner, with another role, until a day, and not any more', async () => {
    const page = await openAs('anna', album)
    const dialog = await openShares(page)
    await dialog.getByText('It belongs to you.').waitFor()
    await dialog.getByText('Nobody else.').waitFor()
    await dialog.getByLabel('Name of the account').fill('bem')
    await dialog.getByRole('button', { name: 'Share', exact: true }).click()
    await dialog.getByRole('alert').getByText('Nobody has an account with that name').waitFor()
    await dialog.getByLabel('Name of the account').fill('Anna')
    await dialog.getByRole('button', { name: 'Share', exact: true }).click()
    await dialog.getByRole('alert').getByText('The album belongs to that account').waitFor()
    await dialog.getByLabel('Name of the account').fill('ben')
    await dialog.getByRole('button', { name: 'Share', exact: true }).click()
    await dialog.getByRole('status').getByText('Shared with ben').waitFor()
    await dialog.getByLabel('Role of ben').waitFor()
    expect(await dialog.getByRole('alert').count()).toBe(0)
    expect(await dialog.getByLabel('Name of the account').inputValue()).toBe('')
    expect(await sharingFor('ben')).toMatchObject({ role: 'viewer' })

    await dialog.getByLabel('Role of ben').selectOption('contributor')
    await dialog.getByRole('status').getByText('Changed: ben').waitFor()
    expect(await sharingFor('ben')).toMatchObject({ role: 'contributor' })

    await dialog.getByRole('button', { name: 'Until: ben' }).click()
    await dialog.locator('input[aria-label="Last day: ben"]').fill('2031-05-04')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByText('until May 4, 2031 · given by anna').waitFor()
    const end = await page.evaluate<string>('new Date(2031, 4, 5).toISOString()')
    const { shares } = await sharingFor('anna')
    expect(shares.map(it => [it.role, Date.parse(it.expires_at ?? '')])).toEqual([['contributor', Date.parse(end)]])
    await dialog.getByLabel('Role of ben').selectOption('viewer')
    await until('the role is another one, and its end is kept', 30_000, async () => {
      const [share] = (await sharingFor('anna')).shares
      return share?.role === 'viewer' && Date.parse(share.expires_at ?? '') === Date.parse(end)
    })

    await dialog.getByRole('button', { name: 'Remove: ben' }).click()
    await dialog.getByText('Nobody else.').waitFor()
    expect(await sharingFor('anna')).toMatchObject({ shares: [] })
    const focused = 'document.activeElement.closest("dialog") !== null'
    await until('the focus is in the dialog', 30_000, async () => await page.evaluate<boolean>(focused))
  })

  it('are shared by keys alone, with many at once', async () => {
    const page = await openAs('anna', album)
    await shareButton(page).focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Share “Meer”' })
    await dialog.waitFor()
    const focused = (): Promise<string> => page.evaluate<string>('document.activeElement.name ?? ""')
    await until('the name can be typed', 30_000, async () => (await focused()) === 'name')
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.type('Everyone who')
    expect(await dialog.locator('select[name=role] option').count()).toBe(2)
    await page.keyboard.press('Tab')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await dialog.getByLabel('Role of Everyone who has an account').waitFor()
    expect(await sharingFor('cleo')).toMatchObject({ role: 'contributor' })
    for (let press = 0; press < 20; press++) {
      await page.keyboard.press('Tab')
      // after the last one the browser's own bar has its turn, never the page below
      expect(await page.evaluate('document.activeElement.closest("dialog, body").tagName')).toMatch(/^(DIALOG|BODY)$/)
    }
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    const below = (): Promise<string | null> => page.evaluate<string | null>('document.activeElement.textContent')
    await until('what opened it has the focus', 30_000, async () => (await below()) === 'Share')
  })

  it('are not offered to be shared to whom may not', async () => {
    for (const name of ['ben', 'cleo', 'root']) {
      const asked: string[] = []
      const page = await openAs(name, album)
      page.on('requestfinished', request => asked.push(new URL(request.url()).pathname))
      await page.reload()
      await page.getByRole('heading', { level: 1, name: 'Meer' }).waitFor()
      // a guest may share nothing, so nobody asks
      const path = name === 'cleo' ? `/v1/albums/${album}` : `/v1/albums/${album}/shares`
      await until('the node has said so', 30_000, async () => asked.includes(path))
      expect(asked.includes(`/v1/albums/${album}/shares`)).toBe(name !== 'cleo')
      expect([name, await isOffered(page)]).toEqual([name, false])
      await browser.closePages()
    }
    await askAs('anna', 'PUT', `/v1/albums/${album}/shares/ben`, 200, { role: 'manager' })
    const page = await openAs('ben', album)
    const dialog = await openShares(page)
    await dialog.getByText('It belongs to anna.').waitFor()
    expect(await dialog.evaluate(it => it.scrollTop)).toBe(0)
    expect(await rowsOf(dialog)).toEqual(['Everyone who has an account', 'ben'])
    expect(await dialog.getByRole('button', { name: 'Hand over' }).count()).toBe(0)
    await dialog.getByRole('button', { name: 'Remove: ben' }).click()
    await page.getByText('Not shared any more: ben').waitFor()
    await dialog.waitFor({ state: 'detached' })
    await shareButton(page).waitFor({ state: 'detached' })
  })

  it('say what does not count, and that somebody may not share any more', async () => {
    const give = (who: string, role: string): Promise<Sharing> =>
      askAs('anna', 'PUT', `/v1/albums/${album}/shares/${who}`, 200, { role })
    await give('ben', 'manager')
    const sharing = await give('cleo', 'viewer')
    const page = await openAs('ben', album)
    const shares = sharing.shares.map((share, i) => ({ ...share, in_force: i !== 1, contested: i === 2 }))
    await page.route('**/shares', route =>
      route.fulfill({ json: { ...sharing, role: 'manager', can: ['share'], shares } })
    )
    await page.route('**/events?*', () => {}) // it reads nothing anew by itself
    await page.reload()
    const dialog = await openShares(page)
    await dialog.getByText('This does not count:').waitFor()
    await dialog.getByText('Machines that were cut off from each other').waitFor()
    await page.unroute('**/shares')
    await dialog
      .getByRole('button', { name: /^Give it again: / })
      .first()
      .click()
    await dialog.getByText('This does not count:').waitFor({ state: 'detached' })
    await askAs('anna', 'DELETE', `/v1/albums/${album}/shares/ben`, 200)
    await dialog.getByLabel('Role of cleo').selectOption('contributor')
    await dialog.getByRole('alert').getByText('You may not share this album any more').waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    expect(await isOffered(page)).toBe(false)
    expect(await sharingFor('cleo')).toMatchObject({ role: 'contributor' })
  })

  it('belong to whom an administrator says, where they were everyone’s, and are handed over', async () => {
    const bens = await openAs('ben', older)
    expect(await isOffered(bens)).toBe(false)
    const page = await openAs('root', older)
    const dialog = await openShares(page)
    await dialog.getByText('It belongs to everyone who has an account.', { exact: false }).waitFor()
    const next = dialog.getByLabel('Name of the new owner')
    const offered = dialog.locator('datalist option')
    await until('names are offered', 30_000, async () => {
      const names = await offered.evaluateAll(all => all.map(it => it.getAttribute('value')))
      return names.join() === 'anna,ben,cleo,root'
    })
    await next.fill('root')
    await dialog.getByRole('button', { name: 'Hand over' }).click()
    await dialog.getByText('It belongs to you.').waitFor()
    await dialog.getByRole('button', { name: 'Hand over' }).click()
    await next.fill('ben')
    await dialog.getByRole('button', { name: 'Hand over' }).last().click()
    await page.getByText('“before” belongs to ben now').waitFor()
    await page.getByRole('heading', { name: 'Albums' }).waitFor()
    expect(await sharingFor('ben', older)).toMatchObject({ owner: { name: 'ben' }, role: 'owner' })
    await bens.reload()
    await shareButton(bens).waitFor()
  })

  it.each(LOOKS)('have no barriers in %s, %i px wide', async (scheme, width) => {
    await askAs('anna', 'PUT', `/v1/albums/${album}/shares/ben`, 200, {
      role: 'manager',
      expires_at: '2031-05-04T22:00:00Z'
    })
    const page = await openAs('anna', album, { scheme, width, height: 844 })
    expect(await barriers(page)).toEqual([])
    const dialog = await openShares(page)
    await dialog.getByRole('button', { name: 'Until: ben' }).click()
    await dialog.getByRole('button', { name: 'Hand over' }).click()
    await dialog.getByLabel('Name of the new owner').waitFor()
    expect(await barriers(page)).toEqual([])
    expect(await dialog.evaluate(it => it.scrollWidth - it.clientWidth)).toBe(0)
    expect(await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')).toBe(false)
  })

  it('stand in each other, and show those in them to whom they are open', async () => {
    const page = await openAs('anna', album)
    await page.getByRole('button', { name: 'New album in this one' }).click()
    await page.getByLabel('Title').fill('Beach')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Beach' }).waitFor()
    await askAs('anna', 'PUT', `/v1/albums/${album}/shares/ben`, 200, { role: 'viewer' })
    await page.getByRole('link', { name: 'Meer' }).click()
    await page.getByRole('region', { name: 'Albums in this one' }).getByRole('link', { name: 'Beach' }).waitFor()

    const other = await openAs('ben', album)
    await other.getByRole('link', { name: 'Beach' }).click()
    await other.getByRole('heading', { level: 1, name: 'Beach' }).waitFor()
    for (const name of ['Move into an album', 'Rename', 'New album in this one', 'Delete album'])
      expect(await other.getByRole('button', { name }).isVisible(), name).toBe(false)

    await page.getByRole('link', { name: 'Beach' }).click()
    await page.getByRole('button', { name: 'Move into an album' }).click()
    const dialog = page.getByRole('dialog', { name: 'Move into an album' })
    expect(await dialog.getByRole('checkbox').isChecked()).toBe(true)
    expect(await barriers(page)).toEqual([])
    await dialog.getByRole('checkbox').uncheck()
    await dialog.getByRole('button', { name: 'Meer' }).click()
    await page.getByText('“Beach” is in “Meer” now').waitFor()
    await page.getByRole('link', { name: 'Meer (not open to whoever sees that)' }).waitFor()
    await other.reload()
    await other.getByText('There is no such album.').waitFor()

    await page.getByRole('button', { name: 'Move into an album' }).click()
    await page.getByRole('button', { name: 'Into none' }).click()
    await page.getByText('“Beach” is in no other album now').waitFor()
    await page.getByRole('link', { name: 'Albums' }).click()
    for (const name of [/Meer/, /Beach/]) await page.getByRole('link', { name }).waitFor()
  })
})
