import { loadavg } from 'node:os'
import type { CDPSession, Page } from 'playwright-core'
import { NodeProcess } from '../support/node-process.js'
import { until } from '../support/until.js'
import { RealBrowser, SKIPS_PAGES } from '../support/web/browser.js'
import { madePageLibrary, VOLUME_BYTES } from './page-library.js'
import { atMost, type Measure, median } from './report.js'

const JUMPS = 15
const SCROLL_MS = 3_000
const SHOWN_MS_MAX = 60_000
/** The browser and the node are a load of their own. */
const QUIET_LOAD_MAX = 2

/** In the page: scrolls at a speed, and tells how many frames that were, and how long the slowest were. */
const SCROLL = `async ([pxPerS, ms]) => {
  const scroller = document.querySelector('.scroller')
  const frames = []
  const begun = performance.now()
  let last = begun
  while (last - begun < ms) {
    const now = await new Promise(requestAnimationFrame)
    scroller.scrollTop += pxPerS * (now - last) / 1_000
    frames.push(now - last)
    last = now
  }
  frames.sort((a, b) => a - b)
  return { frames: frames.length, p95: frames[Math.floor(frames.length * 0.95)] }
}`
/** In the page: whether all tiles that can be seen show their pictures. */
const ALL_SHOWN = `(() => {
  const seen = [...document.querySelectorAll('.tile')].filter(tile => {
    const { top, bottom } = tile.getBoundingClientRect()
    return bottom > 64 && top < innerHeight
  })
  return seen.length > 0 && seen.every(tile => tile.querySelector('img')?.complete && tile.querySelector('img').naturalWidth > 0)
})()`
/**
 * In the page, before anything else: adds up what shifts, as browsers tell it: the worst window of at most five seconds in which no
 * second passes without a shift.
 */
const SHIFTS = `
  globalThis.shifted = 0
  let sum = 0, first = 0, last = -1e9
  new PerformanceObserver(list => {
    for (const { hadRecentInput, startTime, value } of list.getEntries()) {
      if (hadRecentInput) continue
      if (startTime - last > 1_000 || startTime - first > 5_000) { sum = 0; first = startTime }
      last = startTime
      sum += value
      globalThis.shifted = Math.max(globalThis.shifted, sum)
    }
  }).observe({ type: 'layout-shift', buffered: true })`

/**
 * The page in a real browser before a real node with many photos. Only what other work of the machine does not change has a target
 * everywhere: elements, memory, requests, bytes and shifts. Times have one on a quiet machine.
 *
 * @param cache - where the library is kept
 * @param originals - a folder of photos that it is made of; undefined: made-up scenes
 */
export async function measurePage(cache: string, photos: number, originals: string | undefined): Promise<Measure[]> {
  if (SKIPS_PAGES) return []
  const folder = await madePageLibrary(cache, photos, originals)
  // names of places would make the index anew
  const flags = ['--volume-bytes', String(VOLUME_BYTES), '--places', 'off']
  const node = await NodeProcess.start({ dataDir: folder, flags, readyMsMax: 600_000 })
  const browser = await RealBrowser.start()
  try {
    const page = await browser.open('about:blank')
    await page.addInitScript(SHIFTS)
    return (await measuresOf(page, node.url)).map(one => ({ ...one, name: `${one.name}, ${photos} photos` }))
  } finally {
    await browser.close()
    await node.stop()
  }
}

async function measuresOf(page: Page, url: string): Promise<Measure[]> {
  const first = await firstView(page, url)
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const scrolls: Measure[] = []
  for (const [pxPerS, msMax] of [
    [1_500, 8],
    [5_000, 8],
    [20_000, 12]
  ] as const)
    scrolls.push(await scrolled(page, session, pxPerS, msMax))
  await until('all pictures are shown', SHOWN_MS_MAX, () => page.evaluate<boolean>(ALL_SHOWN))
  const elements = await page.evaluate<number>('document.querySelectorAll("*").length')
  const shiftedBefore = await page.evaluate<number>('globalThis.shifted')
  const jumps = await jumped(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  return [
    ...first,
    { name: 'elements', value: String(elements), number: elements, target: atMost(400), note: 'after scrolling' },
    {
      name: 'heap',
      value: `${(usedSize / 1e6).toFixed(1)} MB`,
      number: usedSize,
      target: atMost(15e6, '≤ 15 MB'),
      note: 'after a collection'
    },
    ...scrolls,
    ...jumps,
    shift('layout shift while scrolling', shiftedBefore),
    shift('layout shift, with flings before the jumps', await page.evaluate<number>('globalThis.shifted'))
  ]
}

function shift(name: string, value: number): Measure {
  return { name, value: value.toFixed(3), number: value, target: atMost(0.02), note: 'the worst five seconds' }
}

/** What is asked of the node until pictures are shown. */
async function firstView(page: Page, url: string): Promise<Measure[]> {
  const asked: string[] = []
  let listed = 0
  page.on('request', request => asked.push(new URL(request.url()).pathname))
  page.on('response', response => {
    if (/\/photos\/timeline$/.test(response.url()))
      void response.body().then(body => {
        listed = body.length
      })
  })
  await page.goto(url)
  await until('all pictures are shown', SHOWN_MS_MAX, () => page.evaluate<boolean>(ALL_SHOWN), 20)
  const before = asked.slice(
    0,
    asked.findIndex(path => path.startsWith('/photo/'))
  )
  return [
    {
      name: 'requests before the first thumbnail',
      value: String(before.length),
      number: before.length,
      target: atMost(7),
      note: before.join(' ').replace(/-[\w-]{8}\./g, '.')
    },
    {
      name: 'bytes listed before anything is scrolled',
      value: `${(listed / 1e3).toFixed(1)} KB`,
      number: listed,
      target: atMost(60e3, '≤ 60 KB'),
      note: 'unpacked'
    }
  ]
}

async function scrolled(page: Page, session: CDPSession, pxPerS: number, msMax: number): Promise<Measure> {
  const before = await threadMs(session)
  const { frames, p95 } = await page.evaluate<{ frames: number; p95: number }>(
    `(${SCROLL})(${JSON.stringify([pxPerS, SCROLL_MS])})`
  )
  const usedMs = (await threadMs(session)) - before
  const shareMs = (usedMs / SCROLL_MS) * 1_000
  return {
    name: `CPU time of the page's thread, a frame at ${pxPerS} px/s`,
    value: `${(usedMs / frames).toFixed(1)} ms`,
    number: usedMs / frames,
    ...promised(msMax),
    note: `${frames} frames in ${SCROLL_MS / 1e3} s, p95 ${p95.toFixed(0)} ms; ${shareMs.toFixed(0)} ms a second; ${loadNote(msMax)}`
  }
}

/** On a busy machine frames are late and few, and each has the work of several: then nothing is promised. */
function promised(msMax: number): Pick<Measure, 'target'> {
  return loadNow() < QUIET_LOAD_MAX ? { target: atMost(msMax, `≤ ${msMax} ms`) } : {}
}

function loadNote(msMax: number): string {
  return `load ${loadNow().toFixed(1)}; promised is ≤ ${msMax} ms below ${QUIET_LOAD_MAX}`
}

function loadNow(): number {
  return loadavg()[0] ?? 0
}

/** @returns CPU time of the thread's tasks so far */
async function threadMs(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics')
  return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN) * 1_000
}

/** To places all over the library, each just after a fling, by the scale of years. */
async function jumped(page: Page): Promise<Measure[]> {
  const box = await page.getByRole('slider', { name: 'Time line' }).boundingBox()
  if (box === null) throw new Error('there is no scale of years')
  const shownMs: number[] = []
  for (let i = 0; i < JUMPS; i++) {
    await page.evaluate(`(${SCROLL})([20000, 300])`)
    const to = (i * 7) % JUMPS // all over, in no order
    await page.mouse.click(box.x + 20, box.y + 10 + ((box.height - 20) * to) / JUMPS)
    const begun = performance.now()
    await until('all pictures are shown', SHOWN_MS_MAX, () => page.evaluate<boolean>(ALL_SHOWN), 10)
    shownMs.push(performance.now() - begun)
  }
  const line = (name: string, ms: number, msMax: number): Measure => ({
    name,
    value: `${ms.toFixed(0)} ms`,
    number: ms,
    ...promised(msMax),
    note: `of ${JUMPS} jumps, each after a fling; ${loadNote(msMax)}`
  })
  return [
    line('all pictures shown after a jump, median', median(shownMs), 600),
    line('all pictures shown after a jump, worst', Math.max(...shownMs), 1_500)
  ]
}
