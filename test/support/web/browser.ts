import { existsSync } from 'node:fs'
import { type Browser, type ConsoleMessage, chromium, type Page } from 'playwright-core'

const PLACES = [process.env.SHEAF_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
/** undefined: there is no browser on this machine. */
const CHROMIUM = PLACES.find(path => path !== undefined && existsSync(path))
/** What must be proven here is not skipped for want of a browser: the tests fail. */
const IS_NEEDED = process.env.SHEAF_BROWSER_NEEDED === '1'
export const SKIPS_PAGES = CHROMIUM === undefined && !IS_NEEDED
if (SKIPS_PAGES)
  console.warn('\nSKIPPED: the tests of the web page need Chromium; install it, or name it with SHEAF_CHROMIUM\n')

export interface PageInit {
  readonly width?: number
  readonly height?: number
  readonly scheme?: 'light' | 'dark'
}

/** In which a page has to be good: scheme, and width in px. */
export const LOOKS = [
  ['light', 1280],
  ['dark', 1280],
  ['light', 390],
  ['dark', 390]
] as const

/** A real browser, with no part of its policies turned off. */
export class RealBrowser {
  readonly #browser: Browser
  /** What pages have written to their consoles, and errors that nobody caught. None is expected. */
  readonly complaints: string[] = []

  private constructor(browser: Browser) {
    this.#browser = browser
  }

  /** @param flags - of the browser's command line */
  static async start(...flags: readonly string[]): Promise<RealBrowser> {
    if (CHROMIUM === undefined) throw new Error('the tests of the web page need Chromium: apt-get install chromium')
    return new RealBrowser(await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', ...flags] }))
  }

  /** A page in a profile of its own. */
  async open(url: string, { width = 1280, height = 800, scheme = 'light' }: PageInit = {}): Promise<Page> {
    const isPhone = width < 600
    const context = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme: scheme,
      hasTouch: isPhone,
      isMobile: isPhone,
      deviceScaleFactor: isPhone ? 2 : 1
    })
    const page = await context.newPage()
    page.setDefaultTimeout(120_000)
    page.on('console', (message: ConsoleMessage) =>
      this.complaints.push(`${message.type()}: ${message.text()} ${message.location().url}`)
    )
    page.on('pageerror', error => this.complaints.push(`error: ${error.message}`))
    await page.goto(url)
    return page
  }

  async closePages(): Promise<void> {
    await Promise.all(this.#browser.contexts().map(context => context.close()))
  }

  async close(): Promise<void> {
    await this.#browser.close()
  }
}
