import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HttpClient, type PhotoMeta } from '../../support/http-client.js'
import { NodeProcess, sheaf } from '../../support/node-process.js'
import { smallImageNetwork } from '../../support/small-models.js'
import { scene, toImage } from '../../support/test-pictures.js'
import { until } from '../../support/until.js'
import { barriers } from '../../support/web/barriers.js'
import { LOOKS, SKIPS_PAGES } from '../../support/web/browser.js'
import { pagesForTests } from '../../support/web/pages-for-tests.js'

/*
 * Going through duplicates in a real browser, in front of a real node with a small model. The console has to stay empty.
 */
const FOUND_MS_MAX = 60_000

interface Meta extends PhotoMeta {
  readonly rating: number | null
  readonly favourite: boolean
}

interface Found {
  readonly total: number
  readonly groups: readonly { readonly photo_ids: readonly string[] }[]
}

const browser = pagesForTests('duplicates')
let node: NodeProcess
let client: HttpClient

async function jpeg(seed: number, width: number, quality = 90): Promise<Buffer> {
  const image = toImage(scene(seed, 600, 400)).resize(width)
  return await image.jpeg({ quality }).toBuffer()
}

async function upload(bytes: Buffer, name: string): Promise<string> {
  return (await client.putPhoto(bytes, name, 'image/jpeg')).photo_id
}

const metaOf = (id: string): Promise<Meta> => client.json<Meta>('GET', `/photo/${id}/meta`, 200)
const statusOf = async (id: string): Promise<number> => (await client.request('GET', `/photo/${id}`)).status
const found = (tier: string): Promise<Found> => client.json<Found>('GET', `/duplicates?tier=${tier}`, 200)

/** @returns the photo that has the focus */
const focused = (page: Page): Promise<string> =>
  page.evaluate<string>('document.activeElement?.closest("[data-duplicate]")?.dataset.duplicate ?? ""')

describe.skipIf(SKIPS_PAGES).sequential('the page of duplicates', () => {
  const same: string[][] = []
  const near: string[][] = []

  beforeAll(async () => {
    const models = join(browser.folder, 'models')
    const network = join(browser.folder, 'vision.onnx')
    mkdirSync(models)
    writeFileSync(network, smallImageNetwork())
    const pixels = ['--mean', '0,0,0', '--std', '1,1,1']
    const added = await sheaf(['models', 'add', 'colours', '--image', network, ...pixels, '--models', models])
    expect(added).toMatchObject({ code: 0 })
    node = await NodeProcess.start({
      dataDir: join(browser.folder, 'data'),
      flags: ['--model', 'colours', '--models', models]
    })
    client = new HttpClient(node.url)
    for (const [seed, copies] of [
      [1, 3],
      [2, 2]
    ] as const) {
      const bytes = await jpeg(seed, 600)
      const ids: string[] = []
      for (let i = 0; i < copies; i++) ids.push(await upload(bytes, `IMG_${seed}${i === 0 ? '' : ` (${i})`}.jpg`))
      same.push(ids)
    }
    for (const seed of [11, 12, 13]) {
      const ids = [await upload(await jpeg(seed, 600), `DSC_${seed}.jpg`)]
      ids.push(await upload(await jpeg(seed, 300, 60), `DSC_${seed}-small.jpg`))
      if (seed === 13) ids.push(await upload(await jpeg(seed, 450, 50), `DSC_${seed}-middle.jpg`))
      near.push(ids)
    }
    await client.patchMeta(same[0]?.[1] ?? '', { tags: { add: ['sea'] }, albums: { add: ['Kiel'] }, rating: 4 })
    await client.patchMeta(same[0]?.[2] ?? '', { tags: { add: ['ships'] }, caption: 'In the harbour' })
    await client.patchMeta(near[0]?.[0] ?? '', { tags: { add: ['garden'] } })
    await until('near copies are found', FOUND_MS_MAX, async () => (await found('near')).total === near.length)
    await until('all have pictures', FOUND_MS_MAX, async () => {
      const { photos } = await client.json<{ photos: { sizes: { small: string } }[] }>('GET', '/photos?limit=100', 200)
      return photos.every(({ sizes }) => sizes.small === 'ready')
    })
  })
  afterAll(() => client?.close())

  it.each(LOOKS)('has no barriers in %s, %i px wide', async (scheme, width) => {
    const page = await browser.open(`${node.url}/#/duplicates`, { scheme, width, height: 844 })
    const problems: string[] = []
    for (const tier of ['Identical', 'Near copies']) {
      await page.getByRole('button', { name: tier }).click()
      await page.getByRole('button', { name: tier, pressed: true }).waitFor()
      await page
        .getByRole('heading', { name: /^\d (identical photos|near copies)$/ })
        .first()
        .waitFor()
      await until('pictures are shown', 90_000, () =>
        page.evaluate<boolean>(
          `[...document.querySelectorAll('.duplicate img')].slice(0, 2).every(it => it.complete && it.naturalWidth > 0)`
        )
      )
      problems.push(...(await barriers(page)).map(it => `${tier} ${it}`))
      if (await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth'))
        problems.push(`${tier} scrolls sideways`)
    }
    expect(problems).toEqual([])
  })

  it('keeps one of each of the same bytes at one press, with all that was said, and takes that back', async () => {
    const [first = '', second = '', third = ''] = same[0] ?? []
    const page = await browser.open(node.url)
    await page.getByRole('link', { name: 'Duplicates' }).click()
    await page.getByRole('heading', { name: '2 photos with 3 copies' }).waitFor()
    await page.getByText('moves 3 copies to the trash', { exact: false }).waitFor()
    const accept = page.getByRole('button', { name: 'Keep one of each' })
    await accept.click()
    await page.getByText('3 copies moved to the trash').waitFor()
    await page.getByText('No two photos are the same file.').waitFor()
    const merged = { tags: ['sea', 'ships'], albums: ['Kiel'], rating: 4, caption: 'In the harbour' }
    expect(await metaOf(first)).toMatchObject(merged)
    expect([await statusOf(second), await statusOf(third)]).toEqual([410, 410])

    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByText('Undone').waitFor()
    await page.getByRole('heading', { name: '2 photos with 3 copies' }).waitFor()
    expect(await metaOf(first)).toMatchObject({ tags: [], albums: [], rating: null, caption: null })
    expect(await metaOf(second)).toMatchObject({ tags: ['sea'], albums: ['Kiel'] })

    await accept.click()
    await page.getByText('No two photos are the same file.').waitFor()
    expect(await metaOf(first)).toMatchObject(merged)
  })

  it('is gone through by keys: near copies side by side, one is kept, or all, or one is none', async () => {
    const page = await browser.open(node.url)
    await page.locator('.tile').first().waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('d')
    // there are no identical ones any more
    await page.getByRole('button', { name: 'Near copies', pressed: true }).waitFor()
    const groups = page.locator('.duplicate-group')
    await groups.nth(2).waitFor()
    // newest first: 13, 12, 11
    const [large = '', small = '', middle = ''] = near[2] ?? []
    const facts = groups.first().locator('.differs')
    expect((await facts.allTextContents()).join(' ')).toContain('600 × 400')
    await page.getByRole('button', { name: 'Stays: DSC_13.jpg', pressed: true }).waitFor()

    await page.keyboard.press('ArrowRight')
    await until('the next has the focus', 5_000, async () => (await focused(page)) === small)
    await page.keyboard.press('n')
    await page.getByText('Is no duplicate any more').waitFor()
    await page.getByRole('heading', { name: '3 near copies' }).waitFor({ state: 'detached' })
    await until('its group has the focus', 5_000, async () => (await focused(page)) === large)
    await page.keyboard.press('Control+z')
    await page.getByText('Undone').waitFor()
    await page.getByRole('heading', { name: '3 near copies' }).waitFor()

    await until('the group has the focus', 5_000, async () => (await focused(page)) === large)
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await until('the last has the focus', 5_000, async () => (await focused(page)) === middle)
    await page.keyboard.press('k')
    await page.getByRole('button', { name: 'Stays: DSC_13-middle.jpg', pressed: true }).waitFor()
    await page.keyboard.press('m')
    await page.getByText('2 copies moved to the trash').waitFor()
    expect([await statusOf(large), await statusOf(small), await statusOf(middle)]).toEqual([410, 410, 200])

    const [twelve = '', twelveSmall = ''] = near[1] ?? []
    await until('the next group has the focus', 5_000, async () => (await focused(page)) === twelve)
    await page.keyboard.press('ArrowDown')
    await until('the last group has the focus', 5_000, async () => (await focused(page)) === near[0]?.[0])
    await page.keyboard.press('ArrowUp')
    await until('the first group has the focus', 5_000, async () => (await focused(page)) === twelve)
    await page.keyboard.press('Shift+K')
    await page.getByText('All are kept, and are no duplicates any more').waitFor()
    expect([await statusOf(twelve), await statusOf(twelveSmall)]).toEqual([200, 200])
    await until('the last group is left', 5_000, async () => (await groups.count()) === 1)
    await page.reload()
    await page.getByRole('heading', { name: '2 near copies' }).waitFor()
    expect(await groups.count()).toBe(1)
    expect((await found('near')).groups.map(({ photo_ids }) => [...photo_ids])).toEqual([[...(near[0] ?? [])].sort()])
  })

  it('opens a photo and comes back to it; what was deleted meanwhile is no harm', async () => {
    const [eleven = '', small = ''] = near[0] ?? []
    const page = await browser.open(`${node.url}/#/duplicates`)
    await page.getByRole('heading', { name: '2 near copies' }).waitFor()
    await page.keyboard.press('ArrowRight')
    await until('it has the focus', 5_000, async () => (await focused(page)) === small)
    await page.keyboard.press('Enter')
    await page.locator('.lightbox-large img.is-ready').waitFor()
    await page.keyboard.press('Escape')
    await page.locator('dialog.lightbox').waitFor({ state: 'detached' })
    await until('it has the focus again', 5_000, async () => (await focused(page)) === small)
    await client.remove(small)
    await page.getByRole('button', { name: 'Keep one, delete 1' }).click()
    await page.getByText('0 copies moved to the trash').waitFor()
    expect(await metaOf(eleven)).toMatchObject({ tags: ['garden'] })
    await page.getByText('No near copies found.').waitFor()
  })

  it('says what a node without a model does not find', async () => {
    const plain = await NodeProcess.start({ dataDir: join(browser.folder, 'plain') })
    const page = await browser.open(`${plain.url}/#/duplicates`)
    await page.getByText('No two photos are the same file.').waitFor()
    await page.getByRole('button', { name: 'Near copies' }).click()
    await page.getByText('Only identical photos are found', { exact: false }).waitFor()
    await page.getByText('No near copies found.').waitFor()
    await browser.closePages()
    await plain.kill9()
  })
})
