import type { RecordFormats } from '../../src/domain/formats.js'
import type { DirectoryRecord } from '../../src/domain/record.js'

const RETAIN_UNTIL = 6

/**
 * A record format after the present one, as far as tests of two versions in one cluster need it: new photos get one field
 * more. No version of Sheaf has it.
 */
export const NEXT_FORMATS: RecordFormats = {
  min: 2,
  max: 3,
  laterFields: [{ number: RETAIN_UNTIL, format: 3, atBirth: 4_102_444_800_000 }]
}

/** Whether the record has the field that only the next format has. */
export function hasNextField({ extra }: Pick<DirectoryRecord, 'extra'>): boolean {
  return extra?.has(RETAIN_UNTIL) === true
}
