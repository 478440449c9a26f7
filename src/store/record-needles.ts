import { RECORD_FORMATS, type RecordFormats } from '../domain/formats.js'
import { COOKIE_BYTES } from '../domain/ids.js'
import { recordNeedleId } from '../domain/needle.js'
import { type DirectoryRecord, shownVersion } from '../domain/record.js'
import { encodeRecordAs } from '../domain/record-codec.js'
import type { NeedleDraft } from '../volumes/needle-store.js'

/** @returns a needle that holds the complete record. Its cookie is the photo's; zeros for other kinds */
export function recordDraft(record: DirectoryRecord, formats: RecordFormats = RECORD_FORMATS): NeedleDraft {
  const { generation, value } = shownVersion(record)
  const stored = value.get('cookie')
  const cookie = stored instanceof Uint8Array && stored.length === COOKIE_BYTES ? stored : new Uint8Array(COOKIE_BYTES)
  const id = recordNeedleId(record)
  return {
    header: { kind: 'record', id, generation, alternateKey: 0, chunk: 0, flags: 0, cookie },
    data: encodeRecordAs(formats, record)
  }
}
