import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import { granteeOf } from '../../../domain/acl.js'
import { type AlbumId, type PhotoId, parseAlbumId } from '../../../domain/ids.js'
import { requireMayWithAlbum } from '../../../photos/albums/album-lookup.js'
import type { ListedPhoto } from '../../../photos/photo-types.js'
import { whileConnected } from '../../wire/while-connected.js'
import { type LegacyContext, legacyUser } from '../legacy-context.js'
import { requireAlbumId } from '../route-context.js'
import {
  legacyDeleteFoldersSchema,
  legacyFoldersSchema,
  legacySharedSchema,
  legacyShareSchema
} from '../schemas/legacy-schemas.js'
import type { SeenLibrary } from '../seen-library.js'
import { personOf } from '../who-asks.js'

/** Photos that one request puts into the trash. */
const TRASHED_MAX = 10_000
const PAGE = 1_000

interface ShareBody {
  readonly folderId: string
  readonly targetUsername: string
  readonly permission: 'view' | 'edit'
}

/** Folders are albums. */
export function addLegacyFolders(app: FastifyInstance, context: LegacyContext): void {
  const { shares, accounts, seenBy, gates } = context

  const folders = async (request: FastifyRequest, areOwn: boolean): Promise<object> => {
    const { albums, viewer } = seenBy(request)
    const { userId } = legacyUser(request)
    const person = personOf(request.asker.principal)
    const all = albums.titles().map(({ id, title }) => {
      const { owner } = shares.list(id, person)
      const permission = viewer.mayWithAlbum('add', id) ? 'edit' : 'view'
      return { id, name: title, ownerId: owner === 'everyone' ? null : owner, permission }
    })
    return { folders: all.filter(({ ownerId }) => (ownerId === userId) === areOwn) }
  }
  const gated = (request: FastifyRequest, areOwn: boolean): Promise<object> =>
    whileConnected(request, signal => gates.pages.pass(signal, () => folders(request, areOwn)))

  app.get('/api/folders', { schema: legacyFoldersSchema }, request => gated(request, true))
  app.get('/api/folders/shared', { schema: legacySharedSchema }, request => gated(request, false))

  app.post<{ Body: ShareBody }>('/api/folders/share', { schema: legacyShareSchema }, async request => {
    const { folderId, targetUsername, permission } = request.body
    const id = requireAlbumId(folderId)
    const { userId, role } = legacyUser(request)
    requireMayWithAlbum(seenBy(request).viewer, 'see', id)
    const target = accounts.users.called(targetUsername)
    if (target === undefined)
      throw new SheafError(
        'ERR_USER_NOT_FOUND',
        `nobody has an account with the name ${JSON.stringify(targetUsername)}`
      )
    const given = permission === 'edit' ? 'contributor' : 'viewer'
    await shares.give(id, granteeOf(target), { role: given }, { userId, role })
    return { message: 'the folder is shared' }
  })

  app.delete<{ Body: { readonly folderIds: readonly string[] } }>(
    '/api/folders',
    { schema: legacyDeleteFoldersSchema },
    request =>
      whileConnected(request, signal =>
        gates.counts.pass(signal, async () => {
          const ids = new Set(request.body.folderIds.map(requireAlbumId))
          const seen = seenBy(request)
          for (const id of ids) requireMayWithAlbum(seen.viewer, 'delete', id)
          const { userId } = legacyUser(request)
          const photos = await onlyIn(ids, seen, userId, signal)
          const outcomes = await seen.photos.batchDelete(photos)
          const failed = outcomes.find(({ error }) => error !== undefined)?.error
          // the albums stay, so that it can be asked again
          if (failed !== undefined) throw new SheafError(failed)
          for (const id of ids) await seen.albums.remove(id)
          return { message: 'the folders are deleted', deleted: ids.size, trashed: photos.length }
        })
      )
  )
}

/** @returns an owner's photos that are in these albums and in no other that he sees. @throws `ERR_BAD_PARAMETER` for too many */
async function onlyIn(
  ids: ReadonlySet<AlbumId>,
  { photos }: Pick<SeenLibrary, 'photos'>,
  owner: string,
  signal: AbortSignal
): Promise<PhotoId[]> {
  const found = new Set<PhotoId>()
  for (const album of ids) {
    let cursor: string | undefined
    do {
      const page = await photos.list({ album, owner, limit: PAGE, ...(cursor !== undefined && { cursor }) }, signal)
      for (const listed of page.photos) if (isOnlyIn(ids, listed)) found.add(listed.photo.id)
      if (found.size > TRASHED_MAX)
        throw new SheafError(
          'ERR_BAD_PARAMETER',
          `more than ${TRASHED_MAX} photos would go into the trash at once; delete fewer folders, or the photos first`
        )
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined)
  }
  return [...found]
}

function isOnlyIn(ids: ReadonlySet<AlbumId>, { albums, photo }: ListedPhoto): boolean {
  return albums.ids.every(id => ids.has(id)) && photo.albums.every(label => parseAlbumId(label) !== undefined)
}
