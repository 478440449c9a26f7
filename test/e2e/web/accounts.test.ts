import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { HttpClient } from '../../support/http-client.js'
import { killAllNodes, NodeProcess, temporaryFolder } from '../../support/node-process.js'
import { scene, toImage } from '../../support/test-pictures.js'
import { until } from '../../support/until.js'
import { barriers } from '../../support/web/barriers.js'
import { RealBrowser, SKIPS_PAGES } from '../../support/web/browser.js'

/* People with accounts, at the pages of two nodes. */
const PASSWORD = 'correct horse battery staple'
const folder = temporaryFolder('page-of-accounts')
let a: NodeProcess
let b: NodeProcess
let browser: RealBrowser
let photoId: string

/** What the browser itself says of an answer 401 and of an invite that was used, which is what is asked for here; and there is no model. */
const isRefusal = (complaint: string): boolean =>
  /status of 401|status of 404 .*\/v1\/signup|status of 503 .*\/similar\//.test(complaint)

async function logIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  page.setDefaultTimeout(30_000)
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.keyboard.press('Enter')
}

async function untilInside(page: Page): Promise<void> {
  await page.locator(`[data-id="${photoId}"]`).waitFor()
}

const chooseFromMenu = async (page: Page, name: string): Promise<void> => {
  await page.getByRole('button', { name: /^Account:/ }).click()
  await page.locator('#user-menu').getByText(name, { exact: true }).click()
}

describe.skipIf(SKIPS_PAGES).sequential('the page of a node that has accounts', () => {
  beforeAll(async () => {
    a = await NodeProcess.start({ dataDir: join(folder.path, 'a') })
    b = await NodeProcess.start({ dataDir: join(folder.path, 'b'), flags: ['--join', a.p2p, '--signup', 'invite'] })
    const client = new HttpClient(a.url)
    const body = await toImage(scene(5, 400, 300))
      .jpeg()
      .toBuffer()
    ;({ photo_id: photoId } = await client.json<{ photo_id: string }>('PUT', '/v1/photos?filename=a.jpg', 201, {
      body
    }))
    const headers = { authorization: `Bearer ${a.operatorToken}`, 'content-type': 'application/json' }
    for (const [name, role] of [
      ['anna', 'admin'],
      ['gast', 'guest']
    ])
      await client.json('POST', '/v1/users', 201, {
        headers,
        body: Buffer.from(JSON.stringify({ name, password: PASSWORD, role }))
      })
    client.close()
    browser = await RealBrowser.start()
  })
  afterEach(async () => {
    await browser.closePages()
    expect(browser.complaints.splice(0).filter(it => !isRefusal(it))).toEqual([])
  })
  afterAll(async () => {
    await browser?.close()
    await killAllNodes()
    folder.remove()
  })

  it('asks who it is before all else, and says what is wrong', async () => {
    const asked: string[] = []
    const page = await browser.open('about:blank')
    page.on('request', request => asked.push(new URL(request.url()).pathname))
    await page.goto(`${a.url}/#/albums`)
    await page.getByRole('heading', { name: /^Log in/ }).waitFor()
    expect(asked.filter(path => !/\.(js|css|svg|html)$/.test(path))).toEqual(['/', '/session'])
    expect(await barriers(page)).toEqual([])
    await logIn(page, 'anna', 'not the password')
    await page.getByRole('alert').getByText('Name or password are wrong.').waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await logIn(page, 'Anna')
    await page.getByRole('heading', { name: 'Albums' }).waitFor()
    expect(page.url()).toContain('#/albums')
    await page.reload()
    await page.getByRole('heading', { name: 'Albums' }).waitFor()
  })

  it('offers a guest nothing that changes anything', async () => {
    const refused: string[] = []
    const page = await browser.open(a.url)
    await logIn(page, 'gast')
    page.on('response', response => response.status() >= 400 && refused.push(response.url()))
    await untilInside(page)
    expect(await page.getByRole('navigation').getByRole('link').allInnerTexts()).toEqual(['Photos', 'Albums'])
    expect(await page.getByRole('button', { name: 'Upload' }).count()).toBe(0)
    await page.getByRole('button', { name: /^Select: / }).click()
    await page.getByRole('toolbar').waitFor()
    expect(await page.getByRole('toolbar').getByRole('button').allInnerTexts()).not.toContain('Delete')
    await page.goto(`${a.url}/#/photo/${photoId}`)
    await page.getByRole('button', { name: 'Details' }).click()
    await page.getByRole('heading', { name: 'Similar photos' }).waitFor()
    for (const name of ['Delete', 'Favourite', 'Change the date', 'Add a tag', 'Caption'])
      expect([name, await page.getByRole('button', { name }).or(page.getByLabel(name)).count()]).toEqual([name, 0])
    await page.keyboard.press('Delete')
    await page.goto(`${a.url}/#/cluster`)
    await page.getByText('Your account may not see this.').waitFor()
    await page.goto(`${a.url}/#/albums`)
    await page.getByRole('heading', { name: 'Albums' }).waitFor()
    expect(await page.getByRole('button', { name: 'New album' }).count()).toBe(0)
    // there is no model here
    expect(refused.filter(url => !url.includes('/similar/'))).toEqual([])
  })

  it('knows at every node who has an account, and brings the form back where a session was ended elsewhere', async () => {
    const page = await browser.open(a.url)
    await logIn(page, 'anna')
    await untilInside(page)
    // nodes without a cluster key have cookies of their own
    await page.goto(b.url)
    await logIn(page, 'anna')
    await untilInside(page)
    await page.goto(`${b.url}/#/cluster`)
    const other = await browser.open(`${a.url}/#/account`)
    await logIn(other, 'anna')
    await other.getByRole('button', { name: 'End all others' }).click()
    await other.getByText(/logged out$/).waitFor()
    await page.getByRole('heading', { name: /^Log in/ }).waitFor()
    await logIn(page, 'anna')
    await page.getByRole('heading', { name: /^Log in/ }).waitFor({ state: 'detached' })
    expect(page.url()).toContain('#/cluster')
    await chooseFromMenu(page, 'Log out')
    await page.getByRole('heading', { name: /^Log in/ }).waitFor()
    await page.reload()
    await page.getByRole('heading', { name: /^Log in/ }).waitFor()
    expect(await page.locator('.tile').count()).toBe(0)
  })

  it('lets people look after their own accounts', async () => {
    const page = await browser.open(a.url)
    await logIn(page, 'gast')
    await untilInside(page)
    await chooseFromMenu(page, 'Your account')
    await page.getByLabel('Name to show').fill('Guest of honour')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('button', { name: 'Account: Guest of honour' }).waitFor()
    await page.getByRole('button', { name: 'New key' }).click()
    await page.getByLabel('What it is for').fill('frame')
    expect(await page.getByRole('checkbox').count()).toBe(1)
    await page.getByRole('button', { name: 'Make the key' }).click()
    const secret = await page.locator('.secret').innerText()
    const client = new HttpClient(b.url)
    await until('the other node knows the key', 30_000, async () => {
      const { status } = await client.request('GET', '/photos', { headers: { authorization: `Bearer ${secret}` } })
      return status === 200
    })
    client.close()
    await page.getByRole('button', { name: 'Done' }).click()
    expect(await barriers(page)).toEqual([])
    await page.getByRole('button', { name: 'Delete: frame' }).click()
    await page.getByText('No keys yet.').waitFor()
    await page.getByLabel('Password until now').fill(PASSWORD)
    await page.getByLabel('New password').fill('another long sentence')
    await page.getByRole('button', { name: 'Change the password' }).click()
    await page.getByText('Password changed.').waitFor()
    await page.reload()
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
  })

  it('lets administrators look after those of others', async () => {
    const page = await browser.open(`${a.url}/#/accounts`)
    await logIn(page, 'anna')
    await page.getByRole('button', { name: 'New account' }).click()
    await page.getByLabel('Name', { exact: true }).fill('bert')
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByLabel('Role of bert').selectOption('auditor')
    await page.getByText('Saved').waitFor()
    expect(await barriers(page)).toEqual([])
    await page.getByRole('button', { name: 'Disable: bert' }).click()
    await page.getByRole('button', { name: 'Open again: bert' }).waitFor()
    const berts = await browser.open(a.url)
    await logIn(berts, 'bert')
    await berts.getByRole('alert').getByText('This account is disabled.').waitFor()
    await page.getByRole('button', { name: 'Open again: bert' }).click()
    await page.getByRole('button', { name: 'Disable: bert' }).waitFor()
    await logIn(berts, 'bert')
    await untilInside(berts)
  })

  it('lets whoever has an invite make an account, once', async () => {
    const client = new HttpClient(b.url)
    const { secret } = await client.json<{ secret: string }>('POST', '/v1/invites', 201, {
      headers: { authorization: `Bearer ${b.operatorToken}`, 'content-type': 'application/json' },
      body: Buffer.from('{}')
    })
    client.close()
    const makeAccount = async (name: string): Promise<Page> => {
      const page = await browser.open(`${b.url}/#/invite/${secret}`)
      await page.getByRole('heading', { name: 'New account' }).waitFor()
      expect(await barriers(page)).toEqual([])
      await logIn(page, name)
      return page
    }
    const page = await makeAccount('dora')
    await untilInside(page)
    await page.getByRole('button', { name: 'Account: dora' }).waitFor()
    expect(page.url()).not.toContain(secret)
    await browser.closePages()
    const second = await makeAccount('emil')
    await second.getByRole('alert').getByText('This invite was used, or has ended.').waitFor()
  })

  it('lets the operator make the first account, and asks for it from then on', async () => {
    const c = await NodeProcess.start({ dataDir: join(folder.path, 'c') })
    const page = await browser.open(`${c.url}/#operator=${c.operatorToken}`)
    await page.getByRole('heading', { name: 'No photos yet' }).waitFor()
    await chooseFromMenu(page, 'Accounts')
    await page.getByText(/^Nobody needs an account now/).waitFor()
    await page.getByRole('button', { name: 'New account' }).click()
    await page.getByLabel('Name', { exact: true }).fill('cleo')
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('heading', { name: /^Log in/ }).waitFor()
    await logIn(page, 'cleo')
    await page.getByLabel('Role of cleo').waitFor()
  })
})
