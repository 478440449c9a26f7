import { describe, expect, test } from 'vitest'
import { openFilesMax } from '../../../src/core/open-files.js'
import { connectionsMax } from '../../../src/http/wire/node-server.js'

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            1024                 524288               files
`

describe('files that may be open', () => {
  test.each([
    [LIMITS, 1_024],
    [LIMITS.replace('1024  ', 'unlimited'), undefined],
    ['', undefined],
    [undefined, undefined]
  ])('are what the system says, if it does', async (text, max) => {
    const readFile = async () => (text === undefined ? undefined : Buffer.from(text))
    expect(await openFilesMax({ readFile })).toBe(max)
  })

  test.each([
    [undefined, 4_096],
    [1_048_576, 4_096],
    [1_024, 256],
    [256, 64]
  ])('of %s leave room for %i clients', (files, clients) => {
    expect(connectionsMax(files)).toBe(clients)
  })
})
