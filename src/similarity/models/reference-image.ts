/**
 * A synthetic image of all brightnesses, with edges and gradients. A network's output for it shows whether the network
 * computes correctly.
 *
 * @returns size × size × 3 bytes
 */
export function referencePixels(size: number): Uint8Array {
  const pixels = new Uint8Array(3 * size * size)
  let at = 0
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      for (let channel = 0; channel < 3; channel++) pixels[at++] = (3 * x + 5 * y + 85 * channel + ((x * y) >> 4)) & 255
    }
  }
  return pixels
}
