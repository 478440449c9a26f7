import { ZIPPED_IDS_MAX, ZIPPED_PHOTOS_MAX } from '../../../domain/limits.js'
import { array, object, PHOTO_ID, problems, type Schema } from './common.js'
import { FILTER_NAMES, FILTERS } from './list-schemas.js'

export const zipSchema: Schema = {
  summary: 'The originals of photos in one file',
  description:
    `Of a list, ${ZIPPED_PHOTOS_MAX} photos at most, or of those named by id; with their parts. The file is made while it is sent. What cannot be read ` +
    'is left out and named in `missing.txt` at its end; when bytes fail midway, the connection is cut.',
  tags: ['photos'],
  rights: { needs: ['read', 'download'] },
  querystring: object(
    {
      ...FILTERS,
      id: array(PHOTO_ID, { maxItems: ZIPPED_IDS_MAX, description: 'in place of a list; may be repeated' })
    },
    [...FILTER_NAMES, 'id']
  ),
  response: {
    200: {
      description: 'a ZIP file',
      content: { 'application/zip': { schema: { type: 'string', format: 'binary' } } }
    },
    ...problems(
      'ERR_BAD_ID',
      'ERR_PHOTO_NOT_FOUND',
      'ERR_PHOTO_DELETED',
      'ERR_DIRECTORY_UNAVAILABLE',
      'ERR_INDEX_BUILDING',
      'ERR_OVERLOADED'
    )
  }
}
