import { expect, test } from 'vitest'
import { defaultModelsFolder } from '../../../../src/similarity/models/models-folder.js'

test.each([
  ['linux', {}, '/home/me/.cache/sheaf/models'],
  ['linux', { XDG_CACHE_HOME: '/cache' }, '/cache/sheaf/models'],
  ['linux', { XDG_CACHE_HOME: '' }, '/home/me/.cache/sheaf/models'],
  ['darwin', {}, '/home/me/Library/Caches/sheaf/models'],
  ['win32', { LOCALAPPDATA: '/local' }, '/local/sheaf/models'],
  ['win32', {}, '/home/me/AppData/Local/sheaf/models']
])('on %s with %j: %s', (platform, environment, folder) => {
  expect(defaultModelsFolder({ platform, environment, home: '/home/me' })).toBe(folder)
})
