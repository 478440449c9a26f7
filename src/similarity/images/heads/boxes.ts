/*
 * Boxes of ISO base media files: u32 length · 4 letters · data; length 1: u64 length follows, 0: up to the end; big-endian. A box
 * that claims more than it is in ends there.
 */
import { ByteView, type HeadBytes, PARTS_MAX } from './head-bytes.js'

export interface Box {
  readonly type: string
  /** Of its data. */
  readonly at: number
  readonly end: number
}

/** @returns the box at a place; undefined when there is none */
async function boxAt(bytes: HeadBytes, at: number, end: number): Promise<Box | undefined> {
  const head = new ByteView(await bytes.read(at, 16))
  return boxIn(head, 0, end - at, at)
}

/**
 * The same in memory.
 *
 * @param end - of what it is in, in `view`
 * @param base - where `view` begins in the file
 */
export function boxIn(view: ByteView, at: number, end: number, base = 0): Box | undefined {
  if (at + 8 > end || at + 8 > view.length) return undefined
  const length = view.u32(at)
  const headBytes = length === 1 ? 16 : 8
  const whole = length === 0 ? end - at : length === 1 ? view.u64(at + 8) : length
  if (whole < headBytes) return undefined
  return { type: view.latin1(at + 4, 4), at: base + at + headBytes, end: base + Math.min(at + whole, end) }
}

/** @returns the boxes in [from, end) of bytes in memory */
export function boxesIn(view: ByteView, from: number, end: number): Box[] {
  const boxes: Box[] = []
  let at = from
  for (let i = 0; i < PARTS_MAX; i++) {
    const box = boxIn(view, at, Math.min(end, view.length))
    if (box === undefined) break
    boxes.push(box)
    at = box.end
  }
  return boxes
}

/** @yields the boxes in [from, end) of the file */
export async function* boxesOf(bytes: HeadBytes, from: number, end: number): AsyncGenerator<Box> {
  let at = from
  for (let i = 0; i < PARTS_MAX; i++) {
    const box = await boxAt(bytes, at, end)
    if (box === undefined) return
    yield box
    at = box.end
  }
}
