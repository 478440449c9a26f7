import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const SOURCE = fileURLToPath(new URL('../../../src/', import.meta.url))

/** Files that go through the records of the directory, and of which kinds. Those of `access`, `session`, `key` and `invite` have secrets. */
const READERS: Readonly<Record<string, string>> = {
  'accounts/account-catalog.ts': 'kind',
  'accounts/group-catalog.ts': 'GROUP_KIND',
  'accounts/invites.ts': 'INVITE_KIND',
  'accounts/owned-records.ts': 'kind',
  'admin/adoptions.ts': 'PHOTO_KIND',
  'admin/closed-accounts.ts': 'ALBUM_KIND',
  'cluster/members/member-records.ts': 'MEMBER_KIND',
  'photos/albums/album-catalog.ts': 'ALBUM_KIND',
  'photos/photos.ts': "'photo'",
  'store/local-store.ts': 'kind',
  'store/needle-verdicts.ts': 'RETIRED_KIND, all',
  'store/verify.ts': 'PHOTO_KIND'
}

it('nobody goes through records but who is known to let no secrets out', () => {
  const found: Record<string, string> = {}
  for (const path of readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts')) continue
    const kinds = [...readFileSync(join(SOURCE, path), 'utf8').matchAll(/irectory\.records\(([^)]*)\)/g)]
    if (kinds.length > 0) found[path] = kinds.map(([, kind]) => kind || 'all').join(', ')
  }
  expect(found).toEqual(READERS)
})
