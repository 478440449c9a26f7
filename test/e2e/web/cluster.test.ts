import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { HttpClient } from '../../support/http-client.js'
import { NodeProcess } from '../../support/node-process.js'
import { scene, toImage } from '../../support/test-pictures.js'
import { until } from '../../support/until.js'
import { SKIPS_PAGES } from '../../support/web/browser.js'
import { pagesForTests } from '../../support/web/pages-for-tests.js'

/* The page of one node of two: what happens at the other one is seen here. */
const browser = pagesForTests('page-of-two')
let a: NodeProcess
let b: NodeProcess

describe.skipIf(SKIPS_PAGES).sequential('the page of a node among others', () => {
  beforeAll(async () => {
    a = await NodeProcess.start({ dataDir: join(browser.folder, 'a') })
    b = await NodeProcess.start({ dataDir: join(browser.folder, 'b'), flags: ['--join', a.p2p] })
  })

  it('shows what is uploaded at another one, by itself', async () => {
    const page = await browser.open(a.url)
    await page.getByRole('heading', { name: 'No photos yet' }).waitFor()
    const client = new HttpClient(b.url)
    const body = await toImage(scene(5, 400, 300))
      .jpeg()
      .toBuffer()
    const { photo_id: id } = await client.json<{ photo_id: string }>('PUT', '/v1/photos?filename=b.jpg', 201, { body })
    client.close()
    await page.locator(`[data-id="${id}"]`).waitFor()
    await until(
      'its picture is shown',
      90_000,
      async () => await page.evaluate(`document.querySelector('[data-id="${id}"] img')?.naturalWidth > 0`)
    )
  })

  it('says how much a machine lacks, how fast it comes, and until when', async () => {
    const page = await browser.open('about:blank')
    // the answer of the node, a moment in a long way to go
    await page.route('**/cluster', async route => {
      const response = await route.fetch()
      const answer = (await response.json()) as { members: { self: boolean }[] }
      const lag = { lag_bytes: 12_000_000_000, bytes_per_s: 5_000_000, eta_s: 2_400 }
      const members = answer.members.map(member => (member.self ? member : { ...member, ...lag }))
      await route.fulfill({ response, json: { ...answer, members } })
    })
    await page.goto(`${a.url}/#/cluster`)
    await page.getByText('12 GB, 5 MB/s, 40 minutes left').waitFor()
    await page.getByRole('heading', { name: 'Photos are still being copied' }).waitFor()
  })

  it('says that all is safe, and soon that a machine is gone', async () => {
    const page = await browser.open(`${a.url}/#/cluster`)
    await page.getByRole('heading', { name: 'All photos are safe: on 2 machines' }).waitFor()
    expect(await page.getByRole('listitem').filter({ hasText: 'has everything' }).count()).toBe(2)
    await b.kill9()
    await page.getByRole('heading', { name: 'Needs a look' }).waitFor()
    await page.getByText(/^Not in reach: /).waitFor()
  })
})
