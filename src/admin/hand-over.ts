import type { PhotoId, UserId } from '../domain/ids.js'
import { pairOf } from '../domain/pairs.js'
import { handOverChange, type Photo } from '../domain/photo.js'
import type { RecordWriter } from '../store/record-writer.js'

/**
 * Hands a photo over, its parts first. What is deleted stays whose it was, and so does what has come to belong to somebody else meanwhile.
 *
 * @param from - whose it is; undefined: nobody's
 * @throws what the store throws
 */
export async function handOver(
  writer: Pick<RecordWriter, 'edit'>,
  { id, record }: Photo,
  { from, to }: { readonly from: UserId | undefined; readonly to: UserId }
): Promise<void> {
  const ids: readonly PhotoId[] = [...pairOf(record).parts, id]
  for (const each of ids)
    await writer.edit(each, (_, { owner, deleted }) =>
      deleted || owner !== from ? undefined : { changes: [handOverChange(to)] }
    )
}
