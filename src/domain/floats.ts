/* Arrays of 32-bit numbers in files and messages: little-endian, whatever this machine's byte order. */

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
export const FLOAT_BYTES = 4

export function floatBytes(values: ArrayLike<number>): Uint8Array {
  return inByteOrder(new Uint8Array(Float32Array.from(values).buffer))
}

/** @param bytes - a multiple of 4. @returns an array of its own */
export function floatsFrom(bytes: Uint8Array): Float32Array {
  return new Float32Array(inByteOrder(Uint8Array.from(bytes)).buffer)
}

/** Converts in place. */
function inByteOrder(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (!IS_LITTLE_ENDIAN) Buffer.from(bytes.buffer).swap32()
  return bytes
}
