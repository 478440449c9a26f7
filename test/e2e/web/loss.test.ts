import { mkdir, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, type Server } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { basename, join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HttpClient } from '../../support/http-client.js'
import { NodeProcess } from '../../support/node-process.js'
import { scene, toImage } from '../../support/test-pictures.js'
import { until } from '../../support/until.js'
import { barriers } from '../../support/web/barriers.js'
import { SKIPS_PAGES } from '../../support/web/browser.js'
import { pagesForTests } from '../../support/web/pages-for-tests.js'

/*
 * The page while nodes come and go, what it shows of the cluster, and what a page of somebody else can do to a node: nothing.
 */
/** Under which an attacker's page, and the node, are found beside their addresses. */
const NAMES = { attacker: 'evil.test', node: 'sheaf.local' }
const UPLOADS = 30
/** A node that is gone answers nothing, which browsers write to the console. */
const REFUSALS = /net::ERR_(CONNECTION|EMPTY|INCOMPLETE|ABORTED|SOCKET)/

/** @returns a port that was free a moment ago */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/** A node at an address that it has again after a restart, and that it tells the others. */
async function startAt(dataDir: string, ...flags: readonly string[]): Promise<NodeProcess> {
  const http = `127.0.0.1:${await freePort()}`
  const p2p = `127.0.0.1:${await freePort()}`
  const own = ['--name', basename(dataDir), '--http', http, '--advertise-http', `http://${http}`, '--p2p', p2p]
  return await NodeProcess.start({ dataDir, flags: [...own, ...flags] })
}

async function upload(node: NodeProcess, seed: number): Promise<string> {
  const client = new HttpClient(node.url)
  const body = await toImage(scene(seed, 400, 300))
    .jpeg()
    .toBuffer()
  const path = `/v1/photos?filename=${seed}.jpg`
  const { photo_id: id } = await client.json<{ photo_id: string }>('PUT', path, 201, { body })
  client.close()
  return id
}

async function total(node: NodeProcess): Promise<number> {
  const client = new HttpClient(node.url)
  const answer = await client.json<{ total: number }>('GET', '/photos?limit=1', 200)
  client.close()
  return answer.total
}

async function caption(node: NodeProcess, id: string, text: string): Promise<void> {
  const client = new HttpClient(node.url)
  expect((await client.patchMeta(id, { caption: text })).status).toBe(200)
  client.close()
}

const card = (page: Page, name: string) => page.locator('.member').filter({ hasText: name })

describe.skipIf(SKIPS_PAGES).sequential('nodes that come and go', () => {
  const browser = pagesForTests('loss', { forgives: REFUSALS })
  let a: NodeProcess
  let b: NodeProcess
  let photo: string

  beforeAll(async () => {
    a = await startAt(join(browser.folder, 'attic'))
    b = await startAt(join(browser.folder, 'barn'), '--join', a.p2p)
    photo = await upload(a, 1)
  })

  it('shows who is down and who is back, checks everything, and says what happened', async () => {
    const page = await browser.open(`${a.url}/#/cluster`)
    await page.getByRole('heading', { name: 'All photos are safe' }).waitFor({ timeout: 120_000 })
    await card(page, 'barn').getByText('1, the same as here').waitFor()
    await b.kill9()
    await card(page, 'barn').getByText('not in reach').waitFor()
    await upload(a, 2)
    b = await b.restart()
    await card(page, 'barn').getByText('in reach', { exact: true }).waitFor({ timeout: 120_000 })
    await card(page, 'barn').getByText('2, the same as here').waitFor({ timeout: 120_000 })
    await page.getByRole('heading', { name: 'All photos are safe' }).waitFor({ timeout: 120_000 })

    await page.getByRole('button', { name: 'Check everything' }).click()
    await page
      .getByRole('listitem')
      .filter({ hasText: 'Check against all machines' })
      .getByText('done: nothing wrong')
      .waitFor()
    const happened = page.getByRole('region', { name: 'What happened' })
    await happened.getByText('machine in reach').first().waitFor()
    await happened.getByText('machine not in reach').first().waitFor()
    expect(await barriers(page)).toEqual([])
  })

  it('leads to the same place at another node when its own is gone, and goes on when it is back', async () => {
    const page = await browser.open(`${a.url}/#/photo/${photo}`)
    await page.locator('.lightbox-large img.is-ready').waitFor()
    const favourite = page.getByRole('button', { name: 'Favourite' })
    const link = page.getByRole('link', { name: 'barn' })
    await until('it knows of the other node', 90_000, async () =>
      (await page.evaluate<string>('localStorage.getItem("sheaf.nodes") ?? ""')).includes('barn')
    )
    await a.kill9()
    const gone = performance.now()
    await page.getByText('attic does not answer.').waitFor()
    const noticedMs = performance.now() - gone
    expect(await favourite.isDisabled()).toBe(true)
    expect(await favourite.getAttribute('title')).toContain('nothing can be changed')
    await page.keyboard.press('h')
    await page.getByText('Nothing is lost; try again', { exact: false }).waitFor()
    expect(await page.locator('.lightbox-large img.is-ready').isVisible()).toBe(true)
    expect(await barriers(page)).toEqual([])
    expect(await link.getAttribute('href')).toBe(`${b.url}/#/photo/${photo}`)

    a = await a.restart()
    const back = performance.now()
    await page.getByText('attic does not answer.').waitFor({ state: 'detached' })
    const forgottenMs = performance.now() - back
    expect(await favourite.isDisabled()).toBe(false)
    // two and three seconds where nothing else runs on the machine
    expect({ noticedMs: noticedMs < 4_000, forgottenMs: forgottenMs < 5_000 }).toEqual({
      noticedMs: true,
      forgottenMs: true
    })

    await a.kill9()
    await link.click()
    await page.waitForURL(`${b.url}/#/photo/${photo}`)
    await page.locator('.lightbox-large img.is-ready').waitFor()
    a = await a.restart()
  })

  it('shows both of two edits of nodes that did not hear of each other, and takes either', async () => {
    await until('both have the photo', 90_000, async () => {
      const client = new HttpClient(b.url)
      const { status } = await client.request('GET', `/photo/${photo}/meta`)
      client.close()
      return status === 200
    })
    await b.kill9()
    await caption(a, photo, 'Of the attic')
    await a.kill9()
    b = await b.restart()
    await caption(b, photo, 'Of the barn')
    a = await a.restart()
    const page = await browser.open(`${a.url}/#/photo/${photo}`)
    await page.locator('.lightbox-large img.is-ready').waitFor()
    await page.keyboard.press('i')
    const versions = page.getByRole('region', { name: 'Other versions' })
    await versions.getByText('Of the attic').waitFor({ timeout: 120_000 })
    expect(await page.getByLabel('Caption').inputValue()).toBe('Of the barn')
    await versions.getByRole('button', { name: 'Show this one' }).click()
    await until('it is shown', 90_000, async () => (await page.getByLabel('Caption').inputValue()) === 'Of the attic')
    await page.locator(`[data-id="${photo}"]`).waitFor({ state: 'attached' })
  })

  it('goes on with uploads when its node is back, none lost and none twice, and shows what it missed', async () => {
    const files = join(browser.folder, 'trip')
    await mkdir(files)
    const paths: string[] = []
    for (let i = 0; i < UPLOADS; i++) {
      const bytes = await toImage(scene(100 + i, 800, 600))
        .jpeg({ quality: 95 })
        .toBuffer()
      paths.push(join(files, `${i}.jpg`))
      await writeFile(paths[i] as string, bytes)
    }
    const before = await total(a)
    const page = await browser.open(a.url)
    await page.locator('.tile').first().waitFor()
    await page.locator('.file-input').first().setInputFiles(paths)
    for (const share of [0.2, 0.5]) {
      await until('some are there', 60_000, async () => (await total(a)) >= before + share * UPLOADS, 20)
      await a.kill9()
      await page.getByText('attic does not answer.').waitFor()
      a = await a.restart()
    }
    await page.getByText(`${UPLOADS} uploaded`, { exact: false }).waitFor({ timeout: 120_000 })
    expect(await total(a)).toBe(before + UPLOADS)
    const elsewhere = await upload(b, 50)
    await page.locator(`[data-id="${elsewhere}"]`).waitFor({ timeout: 120_000 })
  })

  it('removes a machine for its operator only, who has to type its name', async () => {
    await b.kill9()
    const visitor = await browser.open(`${a.url}/#/cluster`)
    await card(visitor, 'barn').getByText('not in reach').waitFor()
    expect(await visitor.getByRole('button', { name: 'Remove barn' }).count()).toBe(0)
    await visitor.getByText('Removing a machine takes the address', { exact: false }).waitFor()

    const page = await browser.open(`${a.url}/#operator=${a.operatorToken}`)
    expect(page.url()).not.toContain('operator')
    await page.getByRole('link', { name: 'Cluster' }).click()
    await page.getByRole('button', { name: 'Remove barn' }).click()
    const dialog = page.getByRole('dialog')
    const remove = dialog.getByRole('button', { name: 'Remove barn' })
    await dialog.getByRole('textbox').fill('bar')
    expect(await remove.isDisabled()).toBe(true)
    expect(await barriers(page)).toEqual([])
    await dialog.getByRole('textbox').fill('barn')
    await remove.click()
    await card(page, 'barn').getByText('has left').waitFor()
  })
})

describe.skipIf(SKIPS_PAGES).sequential('a page of somebody else', () => {
  const flags = [`--host-resolver-rules=MAP ${NAMES.attacker} 127.0.0.1, MAP ${NAMES.node} 127.0.0.1`]
  // refusals are what is wanted
  const browser = pagesForTests('attack', { flags, forgives: /./ })
  let node: NodeProcess
  let attacker: Server
  let photo: string
  const at = { attacker: 0, node: 0 }

  beforeAll(async () => {
    node = await startAt(join(browser.folder, 'victim'))
    photo = await upload(node, 3)
    at.node = Number(new URL(node.url).port)
    attacker = createHttpServer((_, response) => response.end('<!doctype html><title>evil</title><p>evil</p>'))
    await new Promise<void>(resolve => attacker.listen(0, '127.0.0.1', resolve))
    at.attacker = (attacker.address() as AddressInfo).port
  })
  afterAll(() => {
    attacker?.close()
  })

  it.each([
    ['at another port of 127.0.0.1', '127.0.0.1', '127.0.0.1'],
    ['at another name, of a node at 127.0.0.1', NAMES.attacker, '127.0.0.1'],
    ['at another name, of a node by name', NAMES.attacker, NAMES.node]
  ])('%s, neither frames, shows, reads nor changes anything', async (_, from, to) => {
    const victim = `http://${to}:${at.node}`
    const page = await browser.open(`http://${from}:${at.attacker}/`)
    const own = await browser.open(`${victim}/#/photo/${photo}`)
    await own.locator('.lightbox-large img.is-ready').waitFor()

    const tried = await page.evaluate(
      `(async ([victim, photo]) => {
        const image = new Image()
        const shown = new Promise(resolve => { image.onload = () => resolve('shown'); image.onerror = () => resolve('refused') })
        image.src = victim + '/photo/' + photo
        const read = path => fetch(victim + path).then(() => 'read', () => 'refused')
        const form = new FormData()
        form.append('file', new Blob(['evil']), 'evil.jpg')
        const send = (path, body) => fetch(victim + path, { method: 'POST', mode: 'no-cors', body }).then(() => 'sent', () => 'refused')
        const frame = document.createElement('iframe')
        frame.src = victim + '/'
        const framed = new Promise(resolve => { frame.onload = resolve })
        document.body.append(frame)
        await framed
        const stream = new EventSource(victim + '/events')
        const followed = new Promise(resolve => { stream.onopen = () => resolve('followed'); stream.onerror = () => resolve('refused') })
        await send('/v1/photos/batch', JSON.stringify({ delete: [photo] }))
        await send('/upload', form)
        await send('/v1/admin/verify', '')
        return { image: await shown, list: await read('/photos'), photo: await read('/photo/' + photo), events: await followed }
      })(${JSON.stringify([victim, photo])})`
    )
    expect(tried).toEqual({ image: 'refused', list: 'refused', photo: 'refused', events: 'refused' })
    const framed = await Promise.all(page.frames().map(frame => frame.locator('.brand').count()))
    expect(framed).toEqual([0, 0])

    await page.evaluate(
      `((victim) => {
        const form = document.createElement('form')
        form.method = 'post'
        form.action = victim + '/trash/empty'
        document.body.append(form)
        form.submit()
      })(${JSON.stringify(victim)})`
    )
    await page.getByText('ERR_FOREIGN_ORIGIN').waitFor()
    const client = new HttpClient(node.url)
    expect((await client.json<{ total: number }>('GET', '/photos', 200)).total).toBe(1)
    expect((await client.json<{ jobs: unknown[] }>('GET', '/v1/admin/jobs', 200)).jobs).toEqual([])
    client.close()
  })
})
