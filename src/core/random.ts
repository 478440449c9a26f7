import { randomBytes } from 'node:crypto'

/** Randomness as an argument, so that a simulation replays under its seed. */
export interface Random {
  /** @returns `byteCount` fresh bytes; the caller owns them */
  bytes(byteCount: number): Uint8Array
  /** @returns a number in [0, 1) */
  fraction(): number
}

export const systemRandom: Random = {
  bytes: byteCount => randomBytes(byteCount),
  fraction: () => randomBytes(4).readUInt32LE() / 2 ** 32
}
