import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { HttpClient } from '../../support/http-client.js'
import { NodeProcess } from '../../support/node-process.js'
import { tinyJpeg } from '../../support/photo-maker.js'
import { SKIPS_PAGES } from '../../support/web/browser.js'
import { pagesForTests } from '../../support/web/pages-for-tests.js'

/* More photos are selected than a node changes at once, so that it does so in a job. */
const MONTHS = 24
const IN_A_MONTH = 50
const ALL = MONTHS * IN_A_MONTH
const SENT_AT_ONCE = 8

/** What a tile asked for that has left, or whose photo was deleted meanwhile. */
const browser = pagesForTests('page-of-many', { forgives: /net::ERR_ABORTED|status of 410 / })
let node: NodeProcess
let client: HttpClient

async function upload(number: number): Promise<void> {
  const month = number % MONTHS
  const taken = `${2020 + Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}-15T12:00:00`
  const query = new URLSearchParams({ filename: `${number}.jpg`, taken_at: taken })
  await client.json('PUT', `/v1/photos?${query}`, 201, { body: tinyJpeg(number + 1) })
}

interface Job {
  readonly kind: string
  readonly state: string
  readonly progress: { readonly done: number } | null
}

const jobs = async (): Promise<readonly Job[]> =>
  (await client.json<{ jobs: readonly Job[] }>('GET', '/v1/admin/jobs', 200)).jobs

const totalOf = async (query: string): Promise<number> =>
  (await client.json<{ total: number }>('GET', `/photos${query}`, 200)).total

describe.skipIf(SKIPS_PAGES).sequential('a large selection', () => {
  beforeAll(async () => {
    node = await NodeProcess.start({ dataDir: join(browser.folder, 'data'), flags: ['--model', 'none'] })
    client = new HttpClient(node.url)
    const left = Array.from({ length: ALL }, (_, number) => number)
    const send = async (): Promise<void> => {
      for (let number = left.pop(); number !== undefined; number = left.pop()) await upload(number)
    }
    await Promise.all(Array.from({ length: SENT_AT_ONCE }, send))
    return () => client.close()
  })

  it('is deleted by a job that tells how far it is, and brought back by another one', async () => {
    const page = await browser.open(node.url)
    await page.getByRole('heading', { name: '1,200 photos' }).waitFor()
    let answers = 0
    await page.route('**/v1/admin/jobs/*', async route => {
      const response = await route.fetch()
      answers++
      if (answers > 1) return await route.fulfill({ response })
      // however fast the node is, the page has to show this
      const progress = { done: 400, total: ALL, unit: 'photos' }
      const job = { ...((await response.json()) as object), finished_at: null, result: null, progress }
      return await route.fulfill({ response, json: job })
    })
    await page.keyboard.press('Control+a')
    await page.getByText('1,200 selected').waitFor()
    await page.keyboard.press('Delete')
    await page.getByText('400 of 1,200 photos').waitFor()
    await page.getByRole('button', { name: 'Stop' }).waitFor()
    await page.getByText('1,200 photos moved to the trash').waitFor()
    expect(await totalOf('')).toBe(0)
    await page.getByRole('heading', { name: 'No photos yet' }).waitFor()

    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByText('1,200 photos restored').waitFor()
    await page.getByRole('heading', { name: '1,200 photos' }).waitFor()
    expect(await totalOf('')).toBe(ALL)
    const ended = (await jobs()).map(({ kind, state, progress }) => `${kind} ${state} ${progress?.done}`)
    expect(new Set(ended)).toEqual(new Set([`batch-delete done ${ALL}`, `batch-undelete done ${ALL}`]))
  })

  it('of a search is tagged', async () => {
    const page = await browser.open(`${node.url}/#/found?q=jpg`)
    await page.locator('.tile').first().waitFor()
    await page.keyboard.press('Control+a')
    await page.getByText('1,200 selected').waitFor()
    await page.getByRole('button', { name: 'Add tag' }).click()
    await page.getByRole('dialog').getByLabel('Tag').fill('many')
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
    await page.getByText('1,200 photos tagged “many”').waitFor()
    expect(await totalOf('?tag=many')).toBe(ALL)
    expect(await jobs()).toHaveLength(3)
  })
})
