import { InferenceSession, Tensor } from 'onnxruntime-node'
import { expect } from 'vitest'
import type { SeededRandom } from '../../../support/seeded-random.js'
import type { Image } from './naive-layers.js'

/** Runs an ONNX file on one image. @returns the outputs by name */
export async function runOnnx(model: Uint8Array, image: Image): Promise<Record<string, number[]>> {
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 })
  const { height, width, channels, data } = image
  const planes = new Float32Array(data.length)
  for (const [i, value] of data.entries()) {
    planes[(i % channels) * height * width + Math.floor(i / channels)] = value
  }
  const results = await session.run({ input: new Tensor('float32', planes, [1, channels, height, width]) })
  await session.release()
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Array.from(data as Float32Array)]))
}

export function randomImage(random: SeededRandom, height: number, width: number, channels = 3): Image {
  return { height, width, channels, data: randomNumbers(random, height * width * channels) }
}

/** @returns numbers that float32 holds exactly, from -1 to 1 */
export function randomNumbers(random: SeededRandom, count: number): number[] {
  return Array.from({ length: count }, () => Math.fround(2 * random.fraction() - 1))
}

export function expectClose(actual: readonly number[] | undefined, expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length)
  for (const [i, value] of expected.entries()) expect(actual?.[i]).toBeCloseTo(value, 4)
}
