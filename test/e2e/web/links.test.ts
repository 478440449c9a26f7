import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { HttpClient } from '../../support/http-client.js'
import { NodeProcess } from '../../support/node-process.js'
import { scene, toImage } from '../../support/test-pictures.js'
import { until } from '../../support/until.js'
import { barriers } from '../../support/web/barriers.js'
import { LOOKS, type PageInit, SKIPS_PAGES } from '../../support/web/browser.js'
import { pagesForTests } from '../../support/web/pages-for-tests.js'

/* Links by which people without an account see photos, on the page of a node. */
const PASSWORD = 'correct horse battery staple'
/** What the browser itself says of the answers that are asked for here: a password is needed, or nothing is open; and there is no model. */
const browser = pagesForTests('page-of-links', { forgives: /status of (401|404|429) |status of 503 .*\/similar\// })
let node: NodeProcess
let client: HttpClient
/** Of anna, with her first two photos in it; the third is in none. */
let album: string
let photos: string[]
/** Of ben, in no album. */
let bens: string

const json = { 'content-type': 'application/json' }
const bodyOf = (content: object): { readonly body: Buffer } => ({ body: Buffer.from(JSON.stringify(content)) })

/** By name; a node logs few people in at once. */
const tokens = new Map<string, { readonly authorization: string }>()

async function tokenOf(name: string): Promise<{ readonly authorization: string }> {
  const known = tokens.get(name)
  if (known !== undefined) return known
  const login = { headers: json, ...bodyOf({ name, password: PASSWORD }) }
  const { access_token } = await client.json<{ access_token: string }>('POST', '/v1/tokens', 200, login)
  const token = { authorization: `Bearer ${access_token}` }
  tokens.set(name, token)
  return token
}

/** Asks as a program of somebody does. */
async function askAs<Json>(
  name: string,
  method: string,
  path: string,
  status: number,
  content?: object
): Promise<Json> {
  const headers = { ...(content && json), ...(await tokenOf(name)) }
  return await client.json<Json>(method, path, status, { headers, ...(content && bodyOf(content)) })
}

async function uploadAs(name: string, seed: number): Promise<string> {
  const body = await picture(seed)
  const path = `/v1/photos?filename=${name}-${seed}.jpg`
  const headers = await tokenOf(name)
  return (await client.json<{ photo_id: string }>('PUT', path, 201, { headers, body })).photo_id
}

const picture = (seed: number): Promise<Buffer> =>
  toImage(scene(seed, 800, 600))
    .jpeg()
    .toBuffer()

/** @returns the address of a new link */
async function makeLink(terms: object = {}): Promise<string> {
  const { path } = await askAs<{ path: string }>('anna', 'POST', '/v1/links', 201, { album, ...terms })
  return node.url + path
}

async function logIn(page: Page, name: string): Promise<void> {
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.keyboard.press('Enter')
}

async function openAs(name: string, hash: string): Promise<Page> {
  const page = await open(`${node.url}/${hash}`)
  await logIn(page, name)
  return page
}

async function open(url: string, look: PageInit = {}): Promise<Page> {
  const page = await browser.open(url, look)
  page.setDefaultTimeout(30_000)
  return page
}

const tile = (page: Page, id: string | undefined): Locator => page.locator(`.tile[data-id="${id}"]`)
const tiles = async (page: Page): Promise<string[]> =>
  (await Promise.all((await page.locator('.tile').all()).map(it => it.getAttribute('data-id')))).map(String).sort()
/** In their order by id. */
const only = (...ids: (string | undefined)[]): string[] => ids.map(String).sort()

async function untilShown(page: Page, ...ids: (string | undefined)[]): Promise<void> {
  for (const id of ids) await tile(page, id).locator('img').waitFor()
  expect(await tiles(page)).toEqual(only(...ids))
}

async function openShares(page: Page): Promise<Locator> {
  await page.getByRole('button', { name: 'Share', exact: true }).click()
  const links = page.getByRole('region', { name: 'Links' })
  await links.getByRole('button', { name: 'New link' }).waitFor()
  return links
}

describe.skipIf(SKIPS_PAGES).sequential('links for guests', () => {
  beforeAll(async () => {
    node = await NodeProcess.start({ dataDir: join(browser.folder, 'data') })
    client = new HttpClient(node.url)
    for (const [name, role] of [
      ['root', 'admin'],
      ['anna', 'user'],
      ['ben', 'user']
    ])
      await client.json('POST', '/v1/users', 201, {
        headers: { ...json, authorization: `Bearer ${node.operatorToken}` },
        ...bodyOf({ name, password: PASSWORD, role })
      })
    album = (await askAs<{ album_id: string }>('anna', 'POST', '/v1/albums', 201, { title: 'Meer' })).album_id
    photos = [await uploadAs('anna', 1), await uploadAs('anna', 2), await uploadAs('anna', 3)]
    bens = await uploadAs('ben', 4)
    await askAs('anna', 'POST', `/v1/albums/${album}/photos`, 200, { add: photos.slice(0, 2) })
    await askAs('anna', 'PATCH', `/photo/${photos[0]}/meta`, 200, { caption: 'at the sea', tags: { add: ['ours'] } })
    await until('all have pictures', 120_000, async () => {
      const ids = [...photos, bens]
      const metas = await Promise.all(
        ids.map(id =>
          askAs<{ sizes: Record<string, string> }>(id === bens ? 'ben' : 'anna', 'GET', `/photo/${id}/meta`, 200)
        )
      )
      return metas.every(({ sizes }) => sizes.thumb === 'ready' && sizes.large !== 'pending')
    })
    return () => client.close()
  })

  it('are made beside the shares of an album, shown once, opened with the password, and withdrawn', async () => {
    const page = await openAs('anna', `#/album/${album}`)
    const links = await openShares(page)
    await links.getByText('No links.').waitFor()
    await links.getByRole('button', { name: 'New link' }).click()
    const form = links.getByRole('form', { name: 'New link' })
    await form.getByLabel('Whom it is for').fill('Grandma')
    await form.getByLabel('It counts').selectOption('7')
    await form.getByLabel('Password of the link').fill('7 signs')
    await form.getByRole('button', { name: 'Make the link' }).click()
    await form.locator('input[name=password]:invalid').waitFor()
    await form.getByLabel('Password of the link').fill(PASSWORD)
    await form.getByLabel('See dates, places').uncheck()
    expect(await form.getByLabel('Download originals').count()).toBe(0)
    await form.getByLabel('See dates, places').check()
    await form.getByRole('button', { name: 'Make the link' }).click()
    const field = links.getByLabel('Address of the link')
    const address = await field.inputValue()
    expect(address).toMatch(new RegExp(`^${node.url}/#/s/[\\w-]{32}$`))
    await links.getByText('works on this machine only').waitFor()
    await page.evaluate('Object.defineProperty(navigator, "clipboard", { value: undefined, configurable: true })')
    await page.evaluate('getSelection().removeAllRanges()')
    await links.getByRole('button', { name: 'Copy' }).click()
    await links.getByRole('status').getByText('It is selected').waitFor()
    const chosen =
      '(() => { const it = document.activeElement; return it.value.slice(it.selectionStart, it.selectionEnd) })()'
    expect(await page.evaluate(chosen)).toBe(address)
    const copied =
      'Object.defineProperty(navigator, "clipboard", { value: { writeText: async it => { window.copied = it } } })'
    await page.evaluate(copied)
    await links.getByRole('button', { name: 'Copy' }).click()
    await links.getByRole('status').getByText('Copied').waitFor()
    expect(await page.evaluate('window.copied')).toBe(address)
    expect(await barriers(page)).toEqual([])
    await links.getByRole('button', { name: 'Done' }).click()
    await links.getByRole('listitem').getByText('Grandma').waitFor()
    await links.getByText(/^shows the photos · until .* · with a password · by anna$/).waitFor()
    expect(await links.innerText()).not.toContain('/#/s/')

    const visitor = await open(address)
    await visitor.getByText('This link has a password.').waitFor()
    expect(visitor.url()).toBe(`${node.url}/#/s/`)
    expect(await barriers(visitor)).toEqual([])
    await visitor.getByLabel('Password of the link').fill('wrong horse battery')
    await visitor.keyboard.press('Enter')
    await visitor.getByRole('alert').getByText('This is not the password of the link.').waitFor()
    await visitor.getByLabel('Password of the link').fill(PASSWORD)
    await visitor.keyboard.press('Enter')
    await visitor.getByRole('heading', { level: 1, name: 'Meer' }).waitFor()
    await untilShown(visitor, photos[0], photos[1])
    expect(visitor.url()).toBe(`${node.url}/#/s/${album}`)
    const kept = '[...Object.entries(localStorage), ...Object.entries(sessionStorage)].flat().join()'
    expect(await visitor.evaluate<string>(kept)).not.toContain(address.slice(-32))
    // the cookie counts, and the password is not asked for again
    await visitor.reload()
    await untilShown(visitor, photos[0], photos[1])
    await visitor.goto('about:blank')
    await visitor.goto(address)
    await visitor.getByRole('heading', { level: 1, name: 'Meer' }).waitFor()

    await links.getByRole('button', { name: 'Withdraw: Grandma' }).click()
    await links.getByText('Whoever has the address sees nothing any more.').waitFor()
    await links.getByRole('button', { name: 'Withdraw for good' }).click()
    await links.getByText('No links.').waitFor()
    await page.getByRole('status').getByText('Withdrawn: Grandma').waitFor()
    await visitor.reload()
    await visitor.getByText('No link is open here any more.').waitFor()
    expect(await tiles(visitor)).toEqual([])
    await visitor.goto('about:blank')
    await visitor.goto(address)
    await visitor.getByRole('alert').getByText('This link has ended, or was withdrawn.').waitFor()
    await visitor.getByRole('button', { name: 'Log in' }).click()
    await visitor.getByRole('heading', { name: /^Log in/ }).waitFor()
  })

  it('show an album to whoever has no account, and nothing beside it', async () => {
    const refused: string[] = []
    const page = await open('about:blank')
    page.on('response', it => it.status() >= 400 && refused.push(`${it.status()} ${it.url()}`))
    await page.goto(await makeLink())
    await untilShown(page, photos[0], photos[1])
    expect(await page.getByRole('navigation').count()).toBe(0)
    expect(await page.getByRole('searchbox').count()).toBe(0)
    expect(await page.getByRole('button', { name: 'Upload' }).count()).toBe(0)
    expect(await barriers(page)).toEqual([])
    await tile(page, photos[0])
      .getByRole('button', { name: /^Select: / })
      .click()
    const bar = page.getByRole('toolbar')
    expect(await bar.locator('.bar-button').allInnerTexts()).toEqual(['Download'])
    await page.keyboard.press('Escape')
    await tile(page, photos[0]).getByRole('link').click()
    const lightbox = page.getByRole('dialog', { name: 'at the sea' })
    await lightbox.locator('img.is-ready').waitFor()
    await lightbox.getByRole('button', { name: 'Details' }).click()
    await lightbox.getByText('anna-1.jpg').waitFor()
    for (const name of ['Delete', 'Favourite', 'Add a tag', 'Change the date'])
      expect([name, await page.getByRole('button', { name }).or(page.getByLabel(name)).count()]).toEqual([name, 0])
    const downloaded = page.waitForEvent('download')
    await lightbox.getByRole('button', { name: 'Download' }).click()
    expect((await downloaded).suggestedFilename()).toBe('anna-1.jpg')
    expect(await barriers(page)).toEqual([])
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await lightbox.waitFor({ state: 'detached' })
    expect(page.url()).toContain(`#/s/${album}`)
    // wherever else one goes, it is what the link has opened
    for (const hash of ['', 'albums', 'trash', 'cluster', `photo/${photos[1]}`]) {
      await page.goto(`${node.url}/#/${hash}`)
      await untilShown(page, photos[0], photos[1])
    }
    expect(refused).toEqual([])
    await page.goto(`${node.url}/#/s/${album}`)
    await page.getByRole('button', { name: 'Close the link' }).click()
    await page.getByText('No link is open here any more.').waitFor()
    expect(await tiles(page)).toEqual([])
  })

  it('without dates and places show the pictures alone', async () => {
    const page = await open(await makeLink({ metadata: false }))
    await untilShown(page, photos[0], photos[1])
    await tile(page, photos[0]).getByRole('link').click()
    const lightbox = page.locator('.lightbox')
    await lightbox.locator('img.is-ready').waitFor()
    expect(await lightbox.getByRole('button', { name: 'Download' }).count()).toBe(0)
    const asked: string[] = []
    page.on('request', it => asked.push(it.url()))
    await page.keyboard.press('d')
    await page.keyboard.press('z')
    await lightbox.locator('.is-zoomed').waitFor()
    await lightbox.getByRole('button', { name: 'Details' }).click()
    const info = page.getByRole('complementary', { name: 'Details' })
    await info.waitFor()
    expect(await info.innerText()).not.toMatch(/at the sea|ours|anna|Date unknown|Not known|Copies/)
    expect(asked.filter(url => /\/photo\/[^?/]*$/.test(url))).toEqual([])
    expect(await barriers(page)).toEqual([])
  })

  it('for uploads take photos of guests into the album', async () => {
    const page = await open(await makeLink({ role: 'contributor' }))
    await untilShown(page, photos[0], photos[1])
    const file = { name: 'from-a-guest.jpg', mimeType: 'image/jpeg', buffer: await picture(9) }
    await page.getByLabel('Choose photos').setInputFiles(file)
    await page.getByText('1 uploaded').waitFor()
    await page.locator('.tile').nth(2).waitFor()
    const { photos: all } = await askAs<{ photos: { photo_id: string; name: string; owner: { name: string } }[] }>(
      'anna',
      'GET',
      `/photos?album=${album}`,
      200
    )
    const added = all.filter(it => it.name === file.name)
    expect(added.map(({ owner }) => owner.name)).toEqual(['anna'])
    expect(await tiles(page)).toEqual(only(photos[0], photos[1], added[0]?.photo_id))
    await askAs('anna', 'DELETE', `/photo/${added[0]?.photo_id}`, 200)
    await page.locator('.tile').nth(2).waitFor({ state: 'detached' })
  })

  it('show both to whoever is logged in: the album, and what is his', async () => {
    const page = await openAs('ben', '')
    await untilShown(page, bens)
    await page.goto(await makeLink())
    await page.getByRole('heading', { level: 1, name: 'Meer' }).waitFor()
    await untilShown(page, photos[0], photos[1])
    expect(page.url()).toBe(`${node.url}/#/album/${album}`)
    await page.getByRole('navigation').getByRole('link', { name: 'Photos' }).click()
    await untilShown(page, bens, photos[0], photos[1])
    // the next one at this browser is nobody
    await page.getByRole('button', { name: /^Account:/ }).click()
    await page.locator('#user-menu').getByText('Log out', { exact: true }).click()
    await page.getByRole('heading', { name: /^Log in/ }).waitFor()
    await page.reload()
    await page.getByRole('heading', { name: /^Log in/ }).waitFor()
    expect(await tiles(page)).toEqual([])
  })

  it('let whoever has come by one log in', async () => {
    const page = await open(await makeLink())
    await untilShown(page, photos[0], photos[1])
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('heading', { name: /^Log in/ }).waitFor()
    await logIn(page, 'ben')
    await untilShown(page, bens, photos[0], photos[1])
    await page.getByRole('navigation').getByRole('link', { name: 'Albums' }).waitFor()
  })

  it('are made of selected photos, and withdrawn beside one’s account', async () => {
    const page = await openAs('anna', '')
    await untilShown(page, ...photos)
    await tile(page, photos[2])
      .getByRole('button', { name: /^Select: / })
      .click()
    await page.getByRole('toolbar').getByRole('button', { name: 'Make a link' }).click()
    const dialog = page.getByRole('dialog', { name: 'Link to 1 photo' })
    await dialog.getByLabel('Whom it is for').fill('Print shop')
    expect(await dialog.getByLabel('Add photos to the album').count()).toBe(0)
    await dialog.getByRole('button', { name: 'Make the link' }).click()
    const address = await dialog.getByLabel('Address of the link').inputValue()
    await dialog.getByRole('button', { name: 'Done' }).click()

    const visitor = await open(address)
    await visitor.getByRole('heading', { level: 1, name: 'Shared photos' }).waitFor()
    await untilShown(visitor, photos[2])
    await visitor.reload()
    await untilShown(visitor, photos[2])

    await page.goto(`${node.url}/#/account`)
    const links = page.getByRole('region', { name: 'Links' })
    await links.getByText(/^of selected photos · shows the photos/).waitFor()
    expect(await barriers(page)).toEqual([])
    await links.getByRole('button', { name: 'Withdraw: Print shop' }).click()
    await links.getByRole('button', { name: 'Withdraw for good' }).click()
    await links.getByRole('button', { name: 'Withdraw: Print shop' }).waitFor({ state: 'detached' })
    await visitor.reload()
    await visitor.getByText('No link is open here any more.').waitFor()
  })

  it.each(LOOKS)('are for everybody, %s at %i px', async (scheme, width) => {
    const guest = await open(await makeLink({ role: 'contributor' }), { scheme, width })
    await untilShown(guest, photos[0], photos[1])
    expect(await barriers(guest)).toEqual([])
    const overflow = 'document.documentElement.scrollWidth > innerWidth'
    expect(await guest.evaluate(overflow)).toBe(false)
    const asked = await open(await makeLink({ password: PASSWORD }), { scheme, width })
    await asked.getByText('This link has a password.').waitFor()
    expect(await barriers(asked)).toEqual([])
    const page = await open(`${node.url}/#/album/${album}`, { scheme, width })
    await logIn(page, 'anna')
    const links = await openShares(page)
    await links.getByRole('button', { name: 'New link' }).click()
    await links.getByRole('form', { name: 'New link' }).waitFor()
    expect(await barriers(page)).toEqual([])
    expect(await page.evaluate(overflow)).toBe(false)
  })

  it('let a password be tried a few times only, and say for how long to wait', async () => {
    const page = await open(await makeLink({ password: PASSWORD }))
    const alert = page.getByRole('alert')
    await until('there were too many', 60_000, async () => {
      await page.getByLabel('Password of the link').fill('wrong horse battery')
      await page.getByRole('button', { name: 'Open' }).click()
      await alert.waitFor()
      return (await alert.innerText()).startsWith('Too many failed tries. Try again in ')
    })
  })
})
