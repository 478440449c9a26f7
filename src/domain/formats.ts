import { RECORD_FORMAT } from './record-codec.js'

/** Numbers of record formats, 1 to 65535, both included. */
export interface FormatRange {
  readonly min: number
  readonly max: number
}

/*
 * The record formats that this program takes from others. Nodes tell each other theirs when they connect, and nodes whose
 * ranges do not overlap refuse each other. There is one such format so far, so each node writes that. A program that reads
 * one more and shall live beside nodes that do not has to write the least format that all members read.
 */
export const FORMAT_MIN = RECORD_FORMAT
export const FORMAT_MAX = RECORD_FORMAT
