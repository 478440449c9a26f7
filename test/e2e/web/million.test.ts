import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { killAllNodes, NodeProcess, temporaryFolder } from '../../support/node-process.js'
import { tinyJpeg } from '../../support/photo-maker.js'
import { until } from '../../support/until.js'
import { RealBrowser, SKIPS_PAGES } from '../../support/web/browser.js'

/*
 * The page before a library of a million photos, on a screen with two device pixels a pixel, where browsers cut boxes earliest. The
 * node is real and empty; what it says of photos is made up on the way.
 */
const MONTHS = 1_000
const IN_A_MONTH = 1_000
const LAST_ID = idOf(MONTHS - 1, IN_A_MONTH - 1)
const ELEMENTS_MAX = 600
const HEAP_BYTES_MAX = 30_000_000

function idOf(month: number, index: number): string {
  return `00000000-0000-4000-8000-${String(month * IN_A_MONTH + index).padStart(12, '0')}`
}

/** Newest first, from December 2026. */
function keyOf(month: number): string {
  const months = 2026 * 12 + 11 - month
  return `${Math.floor(months / 12)}-${String((months % 12) + 1).padStart(2, '0')}`
}

const KEYS = Array.from({ length: MONTHS }, (_, month) => keyOf(month))
const TIMELINE = {
  total: MONTHS * IN_A_MONTH,
  revision: 'r',
  buckets: KEYS.map(key => ({ key, from: `${key}-01`, to: `${key}-28`, count: IN_A_MONTH, revision: 'r' }))
}

function bucketOf(key: string): object {
  const month = KEYS.indexOf(key)
  const columns = Array.from({ length: IN_A_MONTH }, (_, i) => i)
  return {
    revision: 'r',
    photo_ids: columns.map(i => idOf(month, i)),
    aspects: columns.map(i => 700 + ((i * 7_919 + month * 31) % 1_100)),
    taken_s: columns.map(i => Date.parse(`${key}-28T12:00:00Z`) / 1_000 - i * 2_000),
    flags: columns.map(() => 16),
    hashes: columns.map(i => (i % 2 === 0 ? '1QcSHQRnh493V4dIh4eXh1h4kJUI' : null))
  }
}

const folder = temporaryFolder('million')
let node: NodeProcess
let browser: RealBrowser
let page: Page

/** @returns whether a photo can be seen */
async function isInView(id: string): Promise<boolean> {
  return await page.evaluate<boolean>(
    `(() => {
      const box = document.querySelector('[data-id="${id}"]')?.getBoundingClientRect()
      return box !== undefined && box.bottom > 0 && box.top < innerHeight && box.height > 20
    })()`
  )
}

const seen = (what: string, id: string): Promise<void> => until(what, 90_000, () => isInView(id))

describe.skipIf(SKIPS_PAGES).sequential('a million photos', () => {
  beforeAll(async () => {
    node = await NodeProcess.start({ dataDir: folder.path })
    browser = await RealBrowser.start('--force-device-scale-factor=2')
    page = await browser.open('about:blank')
    await page.route(/\/photos\/timeline/, async route => {
      const [, key] = /timeline\/([\d-]+)/.exec(route.request().url()) ?? []
      await route.fulfill({ json: key === undefined ? TIMELINE : bucketOf(key) })
    })
    await page.route(/\/photo\//, route => route.fulfill({ body: tinyJpeg(1), contentType: 'image/jpeg' }))
    await page.route(/\/photo\/[^/]+\/meta/, route => route.abort('aborted')) // the node knows none of them
    await page.goto(node.url)
    await seen('the first photo', idOf(0, 0))
  })
  afterEach(() => {
    // what a tile that left no longer wants
    expect(browser.complaints.splice(0).filter(text => !text.includes('ERR_ABORTED'))).toEqual([])
  })
  afterAll(async () => {
    await browser?.close()
    await killAllNodes()
    folder.remove()
  })

  it('ends with the last one: by key, and back', async () => {
    await page.keyboard.press('End')
    await seen('the last photo', LAST_ID)
    await page.keyboard.press('Home')
    await seen('the first photo', idOf(0, 0))
  })

  it('ends with the last one: by the scrubber', async () => {
    const scrubber = page.getByRole('slider', { name: 'Time line' })
    const box = await scrubber.boundingBox()
    if (box === null) throw new Error('no scrubber')
    await page.mouse.move(box.x + 20, box.y + 10)
    await page.mouse.down()
    await page.mouse.move(box.x + 20, box.y + box.height / 2, { steps: 5 })
    await page
      .getByText(/^\w+ 19[678]\d$/)
      .first()
      .waitFor()
    await page.mouse.move(box.x + 20, box.y + box.height + 50, { steps: 5 })
    await page.mouse.up()
    await seen('the last photo', LAST_ID)
    await scrubber.press('Home')
    await seen('the first photo', idOf(0, 0))
    expect(await scrubber.getAttribute('aria-valuetext')).toBe('December 2026')
    await scrubber.press('PageDown')
    await until('another year', 90_000, async () => (await scrubber.getAttribute('aria-valuetext')) !== 'December 2026')
  })

  it('ends with the last one: by the wheel, from near the end', async () => {
    await page.evaluate('document.querySelector(".scroller").scrollTop = 7_990_000')
    await page.mouse.move(600, 400)
    await until('the last photo', 90_000, async () => {
      await page.mouse.wheel(0, 3_000)
      return await isInView(LAST_ID)
    })
  })

  it('a photo far away opens, and its tile is there again', async () => {
    await page.locator(`[data-id="${LAST_ID}"] a`).click()
    await page.locator('dialog.lightbox').waitFor()
    await page.goBack()
    await page.locator('dialog.lightbox').waitFor({ state: 'detached' })
    await seen('the last photo', LAST_ID)
  })

  it('a key means the gallery as soon as the photo above it is closed', async () => {
    await page.locator(`[data-id="${LAST_ID}"] a`).click()
    await page.locator('dialog.lightbox').waitFor()
    await page.evaluate(`new MutationObserver((_, observer) => {
      if (document.querySelector('dialog.lightbox') !== null) return
      observer.disconnect()
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'a', ctrlKey: true, bubbles: true }))
    }).observe(document.body, { childList: true, subtree: true })`)
    await page.goBack()
    await page.getByText('1,000,000 selected').waitFor()
    await page.keyboard.press('Escape')
    await seen('the last photo', LAST_ID)
  })

  it('what flies by is drawn as plain colours, and as pictures where it comes to rest', async () => {
    await page.keyboard.press('Home')
    await seen('the first photo', idOf(0, 0))
    const [canvases, colours] = await page.evaluate<[number, number]>(`new Promise(resolve => {
      const scroller = document.querySelector('.scroller')
      let frames = 0
      let canvases = 0
      let colours = 0
      // the first frames show how fast it is
      const observer = new MutationObserver(changes => {
        if (frames < 10) return
        for (const { addedNodes } of changes)
          for (const node of addedNodes) {
            canvases += node.querySelectorAll('canvas').length
            colours += node.querySelectorAll('span.blur').length
          }
      })
      observer.observe(scroller, { childList: true, subtree: true })
      const step = () => {
        if (frames++ === 60) {
          observer.disconnect()
          return resolve([canvases, colours])
        }
        scroller.scrollTop += 600
        requestAnimationFrame(step)
      }
      step()
    })`)
    expect(canvases).toBeLessThan(colours) // a busy machine may be slow for a frame
    expect(colours).toBeGreaterThan(20)
    await until('pictures', 90_000, () =>
      page.evaluate<boolean>(
        `document.querySelectorAll('.tile canvas').length > 5 && !document.querySelector('span.blur')`
      )
    )
  })

  it('all of them are chosen in a moment, and few elements and little memory are in use', async () => {
    await page.keyboard.press('Control+a')
    await page.getByText('1,000,000 selected').waitFor()
    await page.keyboard.press('Escape')
    const session = await page.context().newCDPSession(page)
    await session.send('HeapProfiler.collectGarbage')
    const { usedSize } = await session.send('Runtime.getHeapUsage')
    expect(usedSize).toBeLessThan(HEAP_BYTES_MAX)
    expect(await page.evaluate<number>('document.querySelectorAll("*").length')).toBeLessThan(ELEMENTS_MAX)
  })
})
