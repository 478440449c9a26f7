/*
 * TensorFlow's layers, straight from their definitions: images of height × width × channels, one loop per index, in doubles.
 * A computation independent of the conversion to ONNX.
 */

export interface Image {
  readonly height: number
  readonly width: number
  readonly channels: number
  /** Row by row, channels last. */
  readonly data: readonly number[]
}

export interface NaiveConvolution {
  readonly kernelHeight: number
  readonly kernelWidth: number
  readonly outputs: number
  /** The kernel weight at a position, from an input to an output. */
  readonly weight: (y: number, x: number, input: number, output: number) => number
  readonly bias?: readonly number[]
  readonly stride: readonly [number, number]
  readonly padding: 'same' | 'valid'
  /** Each output depends only on the input of its own channel. */
  readonly depthwise?: boolean
}

export function convolve(image: Image, layer: NaiveConvolution): Image {
  const { kernelHeight, kernelWidth, outputs, weight, bias = [], padding, depthwise = false } = layer
  const [strideY, strideX] = layer.stride
  const [height, top] = extent(image.height, kernelHeight, strideY, padding)
  const [width, left] = extent(image.width, kernelWidth, strideX, padding)
  const perChannel = outputs / image.channels
  const data: number[] = []
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let output = 0; output < outputs; output++) {
        let sum = bias[output] ?? 0
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let kx = 0; kx < kernelWidth; kx++) {
            for (let input = 0; input < image.channels; input++) {
              if (depthwise && Math.floor(output / perChannel) !== input) continue
              sum += at(image, y * strideY + ky - top, x * strideX + kx - left, input) * weight(ky, kx, input, output)
            }
          }
        }
        data.push(sum)
      }
    }
  }
  return { height, width, channels: outputs, data }
}

export function maxPool(image: Image, size: number, stride: number): Image {
  const [height] = extent(image.height, size, stride, 'valid')
  const [width] = extent(image.width, size, stride, 'valid')
  const data: number[] = []
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < image.channels; channel++) {
        let most = Number.NEGATIVE_INFINITY
        for (let ky = 0; ky < size; ky++) {
          for (let kx = 0; kx < size; kx++) most = Math.max(most, at(image, y * stride + ky, x * stride + kx, channel))
        }
        data.push(most)
      }
    }
  }
  return { height, width, channels: image.channels, data }
}

export function zeroPad(
  image: Image,
  [top, bottom]: readonly [number, number],
  [left, right]: readonly [number, number]
): Image {
  const [height, width] = [image.height + top + bottom, image.width + left + right]
  const data: number[] = []
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < image.channels; channel++) data.push(at(image, y - top, x - left, channel))
    }
  }
  return { height, width, channels: image.channels, data }
}

export function map(image: Image, change: (value: number, channel: number) => number): Image {
  return { ...image, data: image.data.map((value, i) => change(value, i % image.channels)) }
}

export function add(a: Image, b: Image): Image {
  return { ...a, data: a.data.map((value, i) => value + (b.data[i] as number)) }
}

/** @returns one number per channel */
export function globalMean(image: Image): number[] {
  const sums = new Array<number>(image.channels).fill(0)
  for (const [i, value] of image.data.entries()) sums[i % image.channels]! += value
  return sums.map(sum => sum / (image.height * image.width))
}

export function dense(
  row: readonly number[],
  outputs: number,
  weight: (i: number, o: number) => number,
  bias: readonly number[]
): number[] {
  return Array.from({ length: outputs }, (_, o) =>
    row.reduce((sum, value, i) => sum + value * weight(i, o), bias[o] ?? 0)
  )
}

export function softmax(row: readonly number[]): number[] {
  const powers = row.map(Math.exp)
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map(power => power / sum)
}

export const relu = (value: number): number => Math.max(0, value)
export const relu6 = (value: number): number => Math.min(6, Math.max(0, value))

/** @returns outputs along a side, and the padding before the first: TensorFlow puts an odd one after */
function extent(size: number, kernel: number, stride: number, padding: 'same' | 'valid'): [number, number] {
  if (padding === 'valid') return [Math.floor((size - kernel) / stride) + 1, 0]
  const count = Math.ceil(size / stride)
  return [count, Math.floor(Math.max(0, (count - 1) * stride + kernel - size) / 2)]
}

function at(image: Image, y: number, x: number, channel: number): number {
  if (y < 0 || x < 0 || y >= image.height || x >= image.width) return 0
  return image.data[(y * image.width + x) * image.channels + channel] as number
}
