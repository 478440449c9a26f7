import { noiseBytes, tinyPng } from '../test/support/photo-maker.js'
import type { Upload } from './history.js'

/** Sides of a picture. */
const PIXELS = 16

/** @returns the bytes that an upload sends: the same ones for the same seed */
export function bytesOf({ seed, byteCount, isPicture }: Pick<Upload, 'seed' | 'byteCount' | 'isPicture'>): Buffer {
  return isPicture ? pictureBytes(seed) : noiseBytes(seed, byteCount)
}

/** A picture that no other of the run is like. */
export function pictureBytes(seed: number): Buffer {
  return tinyPng(seed, PIXELS)
}
