/** Numbers of record formats, 1 to 65535, both included. */
export interface FormatRange {
  readonly min: number
  readonly max: number
}

/*
 * The record formats that this program reads. Nodes tell each other theirs when they connect, and nodes whose ranges do not
 * overlap refuse each other.
 *
 * The rule: the cluster writes the least format that all members read; it only rises. So FORMAT_MAX rises with each new
 * format, nodes are upgraded one by one, and the new format is written once the last member reads it. FORMAT_MIN rises only
 * in a version of which all nodes before can be expected to have been upgraded, since it ends the life with older ones.
 */
export const FORMAT_MIN = 2
export const FORMAT_MAX = 2
