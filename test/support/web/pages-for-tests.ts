import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { killAllNodes, temporaryFolder } from '../node-process.js'
import { type PageInit, RealBrowser } from './browser.js'

export interface PagesInit {
  /** Of the browser's command line. */
  readonly flags?: readonly string[]
  /** What may stand in the console after a test; nothing else may. */
  readonly forgives?: RegExp
}

export interface PagesForTests {
  /** For the nodes' data and whatever else; removed after the last test. */
  readonly folder: string
  /** What pages have written to their consoles in the test that runs. */
  readonly complaints: string[]
  /** A page in a profile of its own, until the test ends. */
  open(url: string, init?: PageInit): Promise<Page>
  closePages(): Promise<void>
}

/**
 * To be called once at the head of a `describe`, before what starts its nodes: gives it a browser and a folder. After the last test
 * these are gone, and all nodes killed.
 *
 * @param label - of the folder
 */
export function pagesForTests(label: string, { flags = [], forgives }: PagesInit = {}): PagesForTests {
  const folder = temporaryFolder(label)
  let browser: RealBrowser | undefined
  const running = (): RealBrowser => {
    if (browser === undefined) throw new Error('the browser is there from the first beforeAll on')
    return browser
  }
  beforeAll(async () => {
    browser = await RealBrowser.start(...flags)
  })
  afterEach(async () => {
    await running().closePages()
    const complaints = running().complaints.splice(0)
    expect(complaints.filter(text => forgives === undefined || !forgives.test(text))).toEqual([])
  })
  afterAll(async () => {
    await browser?.close()
    await killAllNodes()
    folder.remove()
  })
  return {
    folder: folder.path,
    get complaints() {
      return running().complaints
    },
    open: (url, init) => running().open(url, init),
    closePages: () => running().closePages()
  }
}
