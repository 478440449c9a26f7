import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packetOf, xmpSegment } from '../../support/head-files.js'
import { HttpClient } from '../../support/http-client.js'
import { directoryOf, MOTION, MOVIE } from '../../support/motion-files.js'
import { NodeProcess } from '../../support/node-process.js'
import { scene, toImage } from '../../support/test-pictures.js'
import { until } from '../../support/until.js'
import { SKIPS_PAGES } from '../../support/web/browser.js'
import { pagesForTests } from '../../support/web/pages-for-tests.js'

/* One photo in a real browser: what a person may change of it, its moment, and those that follow it. */

interface Meta {
  readonly name: string
  readonly taken_at: string | null
  readonly taken_at_source: string
  readonly place: { readonly lat: number; readonly lon: number; readonly country: string | null } | null
}

const browser = pagesForTests('photo-page')
let node: NodeProcess
let client: HttpClient

const metaOf = (id: string): Promise<Meta> => client.json<Meta>('GET', `/photo/${id}/meta`, 200)

async function picture(seed: number): Promise<Buffer> {
  return await toImage(scene(seed, 480, 320))
    .jpeg()
    .toBuffer()
}

/** A picture with a movie behind it, as telephones write it; the movie is none that could be played. */
async function motionPicture(): Promise<Buffer> {
  const jpeg = await picture(9)
  const primary = { semantic: 'Primary', mime: 'image/jpeg', length: 0 }
  const xmp = xmpSegment(packetOf('GCamera:MotionPhoto="1"', directoryOf([primary, MOTION])))
  return Buffer.concat([jpeg.subarray(0, 2), xmp, jpeg.subarray(2), MOVIE])
}

async function put(bytes: Buffer, name: string): Promise<string> {
  const { photo_id: id } = await client.putPhoto(bytes, name)
  await until(`${name} is looked at`, 90_000, async () => {
    const { sizes } = await client.json<{ sizes: { large: string } }>('GET', `/photo/${id}/meta`, 200)
    return sizes.large === 'ready'
  })
  return id
}

async function openPhoto(id: string): Promise<Page> {
  const page = await browser.open(`${node.url}/#/photo/${id}`)
  await page.locator('.lightbox-large img.is-ready').waitFor()
  return page
}

describe.skipIf(SKIPS_PAGES).sequential('a photo on the page', () => {
  beforeAll(async () => {
    node = await NodeProcess.start({ dataDir: browser.folder })
    client = new HttpClient(node.url)
  })
  afterAll(() => client?.close())

  it('gets the date, the place and the name that a person gives it, and those of its file again', async () => {
    const id = await put(await picture(1), 'IMG_20240701_100000.jpg')
    const page = await openPhoto(id)
    const change = async (what: string, text: string): Promise<void> => {
      await page.getByRole('button', { name: what }).click()
      await page.getByRole('textbox', { name: what }).fill(text)
      await page.getByRole('textbox', { name: what }).press('Enter')
    }
    const date = page.getByRole('textbox', { name: 'Change the date' })
    await page.keyboard.press('i')
    await change('Change the date', '1985-07')
    await date.waitFor({ state: 'detached' })
    await page.getByText('July 1985').first().waitFor()
    expect(await metaOf(id)).toMatchObject({ taken_at: '1985-07', taken_at_source: 'user' })
    await change('Change the date', 'July 2, 1986')
    await date.waitFor({ state: 'detached' })
    await page.getByText('July 2, 1986').first().waitFor()
    expect((await metaOf(id)).taken_at).toBe('1986-07-02')
    for (const [typed, why] of [
      ['3/4/1985', 'Such as'],
      ['31 February 1985', 'There was no “31 February 1985”']
    ] as const) {
      await change('Change the date', typed)
      await page.getByRole('alert').getByText(why, { exact: false }).waitFor()
      expect(await date.inputValue()).toBe(typed)
      await date.press('Escape')
    }
    expect((await metaOf(id)).taken_at).toBe('1986-07-02')
    await change('Change the date', '1985-07-03 10:00:00 +02:00')
    await until(
      'it is the one that was typed',
      90_000,
      async () => (await metaOf(id)).taken_at?.slice(0, 10) === '1985-07-03'
    )
    await date.waitFor({ state: 'detached' })
    await page.getByText('July 3, 1985').first().waitFor()
    await page.getByRole('button', { name: 'Change the date' }).click()
    expect(await date.inputValue()).toBe('1985-07-03 10:00 +02:00')
    await date.press('Escape')
    await change('Change the date', '')
    await until('it is the file’s', 90_000, async () => (await metaOf(id)).taken_at_source === 'name')

    await change('Change the place', 'Kiel')
    await page.getByRole('textbox', { name: 'Change the place' }).fill('54.3233, 10.1228')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Schleswig-Holstein', { exact: false }).waitFor()
    expect((await metaOf(id)).place).toMatchObject({ lat: 54.3233, lon: 10.1228, country: 'Germany' })

    await change('Change the name', 'Förde.jpg')
    await page.getByText('Förde.jpg').first().waitFor()
    expect((await metaOf(id)).name).toBe('Förde.jpg')
    await page.getByRole('button', { name: 'Change the name' }).click()
    await page.keyboard.press('Escape')
    await page.getByRole('textbox', { name: 'Change the name' }).waitFor({ state: 'detached' })
    await page.locator('dialog.lightbox').waitFor() // that closed the field only
    expect(browser.complaints.splice(0).filter(text => !text.includes('status of 400'))).toEqual([])
  })

  it('keeps what is typed, however it is left, and comes back when its delete is undone', async () => {
    const [first, second] = [await put(await picture(5), 'first.jpg'), await put(await picture(6), 'second.jpg')]
    interface Said {
      readonly caption: string | null
      readonly tags: readonly string[]
    }
    const said = (id: string): Promise<Said> => client.json<Said>('GET', `/photo/${id}/meta`, 200)
    const page = await openPhoto(first)
    const caption = page.getByLabel('Caption')
    await page.keyboard.press('i')
    await caption.fill('By Escape')
    await caption.press('Escape')
    await page.getByRole('status').getByText('Saved').waitFor()
    expect((await said(first)).caption).toBe('By Escape')
    await page.getByLabel('Add a tag').fill('harbour')
    await caption.click() // leaves the field
    await page.getByRole('link', { name: 'harbour' }).waitFor()
    await client.patchMeta(first, { rating: 3 }) // the caption is still the one that was seen
    await caption.fill('By going on')
    await page.evaluate(`location.hash = '#/photo/${second}'`)
    await until('it is saved', 90_000, async () => (await said(first)).caption === 'By going on')
    await until('the next photo has its own', 90_000, async () => (await caption.inputValue().catch(() => '?')) === '')
    await page.getByLabel('Add a tag').fill('sea')
    await page.evaluate(`location.hash = '#/'`)
    await until('the tag is added', 90_000, async () => (await said(second)).tags.includes('sea'))

    await page.evaluate(`location.hash = '#/photo/${second}'`)
    await page.locator('.lightbox-large img.is-ready').waitFor()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.waitForURL(`**/#/photo/${second}`)
    await page.locator('.lightbox-large img.is-ready').waitFor()
    expect((await said(second)).tags).toEqual(['sea'])
    expect(browser.complaints.splice(0).filter(text => !/status of 41[02]/.test(text))).toEqual([])
  })

  it('keeps what is typed when the tab is closed, and when it crashes', async () => {
    const id = await put(await picture(8), 'closed.jpg')
    const captionOf = async (): Promise<string | null> =>
      (await client.json<{ caption: string | null }>('GET', `/photo/${id}/meta`, 200)).caption
    const closed = await openPhoto(id)
    await closed.keyboard.press('i')
    await closed.getByLabel('Caption').fill('Before it was closed')
    await closed.goto('about:blank')
    await until('it is saved', 90_000, async () => (await captionOf()) === 'Before it was closed')

    const again = async (): Promise<Page> => {
      const page = await closed.context().newPage()
      await page.goto(`${node.url}/#/photo/${id}`)
      await page.locator('.lightbox-large img.is-ready').waitFor()
      await page.keyboard.press('i')
      return page
    }
    const crashed = await again()
    await crashed.getByLabel('Caption').fill('Before it crashed')
    await Promise.all([crashed.waitForEvent('crash'), crashed.goto('chrome://crash').catch(() => {})])
    expect(await captionOf()).toBe('Before it was closed')
    const back = await again()
    await until('it is saved', 90_000, async () => (await captionOf()) === 'Before it crashed')
    expect(await back.getByLabel('Caption').inputValue()).toBe('Before it crashed')

    // somebody else was faster: nothing of theirs is replaced before a person has looked
    await back.getByLabel('Caption').fill('Mine')
    await Promise.all([back.waitForEvent('crash'), back.goto('chrome://crash').catch(() => {})])
    await client.patchMeta(id, { caption: 'Theirs' })
    const last = await again()
    const caption = last.getByLabel('Caption')
    await last.getByText('The caption is now: “Theirs”.', { exact: false }).waitFor()
    expect(await caption.inputValue()).toBe('Mine')
    await last.keyboard.press('i')
    await caption.waitFor({ state: 'detached' })
    expect(await captionOf()).toBe('Theirs')
    await last.keyboard.press('i')
    await last.getByText('The caption is now: “Theirs”.', { exact: false }).waitFor()
    await caption.press('Enter')
    await until('it is replaced', 90_000, async () => (await captionOf()) === 'Mine')
  })

  it('is found by its tags and albums, and by its year', async () => {
    const id = await put(await picture(7), 'IMG_19850703_100000.jpg')
    await client.patchMeta(id, { tags: { add: ['our garden'] } })
    const { album_id: album } = await client.json<{ album_id: string }>('POST', '/v1/albums', 201, {
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify({ title: 'Garden party' }))
    })
    const page = await browser.open(`${node.url}/#/search?q=gar`)
    await page.getByRole('link', { name: 'Garden party' }).waitFor()
    expect(await page.getByRole('link', { name: 'Garden party' }).getAttribute('href')).toBe(`#/album/${album}`)
    await page.getByRole('link', { name: 'our garden' }).click()
    await page.getByRole('heading', { name: 'our garden' }).waitFor()
    await page.locator(`[data-id="${id}"]`).waitFor()
    await page.goto(`${node.url}/#/albums`)
    await page.getByRole('region', { name: 'Tags' }).getByRole('link', { name: 'our garden 1' }).waitFor()
    await page.goto(`${node.url}/#/search?q=July+1985`)
    await page.getByText('No name, caption, place or tag has “July 1985”.').waitFor()
    await page.getByRole('link', { name: 'All of July 1985' }).click()
    await page.getByRole('heading', { name: 'July 1985' }).first().waitFor()
    await page.locator(`[data-id="${id}"]`).waitFor()
  })

  it('plays its moment, or says why not', async () => {
    const id = await put(await motionPicture(), 'PXL_20230501_101112.MP.jpg')
    const page = await openPhoto(id)
    const asked = page.waitForRequest(`**/photo/${id}?part=motion`)
    await page.getByRole('button', { name: 'Play the moment' }).click()
    await asked
    await page.getByText('This browser cannot play the video.', { exact: false }).waitFor()
    await page.locator('video').waitFor({ state: 'detached' })
    const other = await openPhoto(await put(await picture(2), 'still.jpg'))
    expect(await other.getByRole('button', { name: 'Play the moment' }).count()).toBe(0)
  })

  it('is followed by the others in a slide show, which ends with the last one', async () => {
    const all = await client.json<{ photos: { photo_id: string }[] }>('GET', '/photos?sort=taken', 200)
    const page = await openPhoto(all.photos[0]?.photo_id ?? '')
    await page.keyboard.press('p')
    await page.getByRole('button', { name: 'Stop the slide show' }).waitFor()
    for (const { photo_id } of all.photos.slice(1)) await page.waitForURL(`**/#/photo/${photo_id}`)
    await page.getByRole('button', { name: 'Slide show', exact: true }).waitFor()
  })

  it('is the cover of its album; an album that was deleted comes back with its photos', async () => {
    const ids = (await client.json<{ photos: { photo_id: string }[] }>('GET', '/photos?sort=taken', 200)).photos.map(
      ({ photo_id }) => photo_id
    )
    const send = <Answer>(method: string, path: string, body: object, status: number): Promise<Answer> =>
      client.json<Answer>(method, path, status, {
        body: Buffer.from(JSON.stringify(body)),
        headers: { 'content-type': 'application/json' }
      })
    const { album_id: album } = await send<{ album_id: string }>('POST', '/v1/albums', { title: 'Spring' }, 201)
    await send('POST', `/v1/albums/${album}/photos`, { add: ids }, 200)
    const coverOf = async (): Promise<string | null> =>
      (await client.json<{ cover: string | null }>('GET', `/v1/albums/${album}`, 200)).cover
    expect(await coverOf()).toBe(ids[0])

    const page = await browser.open(`${node.url}/#/album/${album}`)
    const tile = page.locator(`[data-id="${ids[1]}"]`)
    await tile.getByRole('button', { name: 'Select' }).click()
    await page.getByRole('button', { name: 'Use as cover' }).click()
    await page.getByText('It is the cover of the album now').waitFor()
    expect(await coverOf()).toBe(ids[1])
    await page.keyboard.press('Escape')

    await page.getByRole('button', { name: 'Delete album' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete album' }).click()
    await page.getByText('Album “Spring” deleted.', { exact: false }).waitFor()
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByRole('heading', { name: 'Spring' }).waitFor()
    await tile.waitFor()
    expect(await coverOf()).toBe(ids[1])
  })

  it('is among the favourites, or in the archive and out of the time line', async () => {
    const [first, second] = (await client.json<{ photos: { photo_id: string }[] }>('GET', '/photos', 200)).photos
    await client.patchMeta(first?.photo_id ?? '', { favourite: true })
    await client.patchMeta(second?.photo_id ?? '', { archived: true })
    const page = await browser.open(`${node.url}/#/albums`)
    await page.getByRole('link', { name: 'Favourites' }).click()
    await page.locator(`[data-id="${first?.photo_id}"]`).waitFor()
    expect(await page.locator('.tile').count()).toBe(1)
    await page.goBack()
    await page.getByRole('link', { name: 'Archive' }).click()
    await page.locator(`[data-id="${second?.photo_id}"]`).waitFor()
    expect(await page.locator('.tile').count()).toBe(1)
    await page.getByRole('link', { name: 'Photos', exact: true }).click()
    await page.locator(`[data-id="${first?.photo_id}"]`).waitFor()
    expect(await page.locator(`[data-id="${second?.photo_id}"]`).count()).toBe(0)
  })
})
