/*
 * libheif, compiled to WebAssembly (the package libheif-js), by its C interface: the package's own one decodes whole pictures only,
 * and the first one in the file instead of the primary one. Pointers are places in the instance's memory.
 *
 *   heif_error       u32 code, 0: none · u32 subcode · u32 text; where a function returns one, its place is the first argument
 *   heif_image_tiling  u32 version · u32 columns · u32 rows · u32 width of a tile · u32 height · u32 width of the picture · u32 height
 *   heif_decoding_options  u8 version · u8 leave it unturned · … · 20: u8 8 bits of more
 *   heif_color_profile_nclx  u8 version · 4: u32 primaries · u32 transfer · u32 matrix · u8 full range
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { SheafError } from '../../../core/errors.js'
import type { Tile } from './shrinking-canvas.js'

const PROGRAM = 'libheif-js/libheif-wasm/libheif.js'
const MODULE = 'libheif-js/libheif-wasm/libheif.wasm'

const YCBCR = 0
const RGB = 1
const CHROMA_420 = 1
/** Numbers of matrices that are BT.601: not said, and as of PAL and of NTSC. */
const MATRICES_601 = [2, 5, 6]
const INTERLEAVED_RGB = 10
const INTERLEAVED_RGBA = 11
const CHANNEL_INTERLEAVED = 10
/** Y, Cb, Cr. */
const CHANNELS_OF_PLANES = [0, 1, 2] as const
const TILING_BYTES = 128
const PROFILE_BYTES_MAX = 4 * 2 ** 20

const require = createRequire(import.meta.url)

/** What the interface has, as far as it is used here. */
interface Instance {
  readonly HEAPU8: Uint8Array
  readonly _malloc: (bytes: number) => number
  readonly _heif_context_alloc: () => number
  readonly _heif_context_read_from_memory_without_copy: Call
  readonly _heif_context_get_primary_image_handle: Call
  readonly _heif_image_handle_get_image_tiling: Call
  readonly _heif_image_handle_has_alpha_channel: (handle: number) => number
  readonly _heif_image_handle_get_raw_color_profile_size: (handle: number) => number
  readonly _heif_image_handle_get_raw_color_profile: Call
  readonly _heif_image_handle_get_nclx_color_profile: Call
  readonly _heif_image_handle_get_preferred_decoding_colorspace: Call
  readonly _heif_image_handle_get_luma_bits_per_pixel: (handle: number) => number
  readonly _heif_image_get_nclx_color_profile: Call
  readonly _heif_decoding_options_alloc: () => number
  readonly _heif_image_handle_decode_image_tile: Call
  readonly _heif_image_get_width: (image: number, channel: number) => number
  readonly _heif_image_get_height: (image: number, channel: number) => number
  readonly _heif_image_get_plane_readonly: (image: number, channel: number, stride: number) => number
  readonly _heif_image_release: (image: number) => void
}

/** A function whose first argument is where its error goes. */
type Call = (error: number, ...args: readonly number[]) => void

/** What a web assembly needs, and what it has. */
type Linkage = Readonly<Record<string, unknown>>

/** The types of Node say nothing of these. */
const { compile, Instance: WasmInstance } = (
  globalThis as unknown as {
    readonly WebAssembly: {
      readonly compile: (bytes: Uint8Array) => Promise<object>
      readonly Instance: new (module: object, imports: Linkage) => { readonly exports: Linkage }
    }
  }
).WebAssembly

interface Hooks {
  readonly instantiateWasm: (imports: Linkage, done: (instance: { readonly exports: Linkage }) => void) => Linkage
  readonly print: () => void
  readonly printErr: () => void
}

/** Whether the package is installed; it is optional. */
export function hasLibheif(): boolean {
  try {
    require.resolve(MODULE)
    return true
  } catch {
    return false
  }
}

let compiled: Promise<object> | undefined

/** @throws `ERR_ANALYST_UNAVAILABLE` when the package cannot be loaded */
async function newInstance(): Promise<Instance> {
  try {
    compiled ??= readFile(require.resolve(MODULE)).then(compile)
    const module = await compiled
    const create = require(PROGRAM) as (hooks: Hooks) => Instance
    return create({
      instantiateWasm: (imports, done) => {
        const instance = new WasmInstance(module, imports)
        done(instance)
        return instance.exports
      },
      print: () => {},
      printErr: () => {}
    })
  } catch (err) {
    compiled = undefined
    throw new SheafError(
      'ERR_ANALYST_UNAVAILABLE',
      `libheif-js cannot be loaded: ${String(err)}; install it again, or start with --heic off`,
      { cause: err }
    )
  }
}

export interface Tiling {
  readonly columns: number
  readonly rows: number
  /** Of each but those at the right and lower edges, which may be smaller. */
  readonly tileWidth: number
  readonly tileHeight: number
  /** Of the picture, as stored. */
  readonly width: number
  readonly height: number
}

/** Luminance, and two colour differences of half its sides. */
export type PlaneTiles = readonly [Tile, Tile, Tile]

/**
 * The primary picture of a HEIF. Each has an instance of its own: the memory of one never shrinks, and what a damaged file has left
 * in it is gone with it.
 */
export class HeifPicture {
  readonly #heif: Instance
  readonly #error: number
  readonly #handle: number
  readonly #options: number
  /** Where a function puts a pointer or a number. */
  readonly #out: number
  readonly channels: 3 | 4
  readonly tiling: Tiling
  /** Whether it is stored as {@link PlaneTiles} of 8 bits. */
  readonly isPlanar: boolean

  private constructor(heif: Instance, bytes: Uint8Array) {
    this.#heif = heif
    this.#error = this.#alloc(12)
    this.#out = this.#alloc(8)
    const data = this.#alloc(bytes.length)
    heif.HEAPU8.set(bytes, data)
    const context = heif._heif_context_alloc()
    this.#call(heif._heif_context_read_from_memory_without_copy, context, data, bytes.length, 0)
    this.#call(heif._heif_context_get_primary_image_handle, context, this.#out)
    this.#handle = this.#u32(this.#out)
    this.#options = heif._heif_decoding_options_alloc()
    heif.HEAPU8[this.#options + 1] = 1
    heif.HEAPU8[this.#options + 20] = 1
    this.channels = heif._heif_image_handle_has_alpha_channel(this.#handle) === 1 ? 4 : 3
    this.tiling = this.#readTiling()
    this.isPlanar = this.channels === 3 && this.#isPlanar()
  }

  /** @throws `ERR_IMAGE_UNREADABLE`, `ERR_ANALYST_UNAVAILABLE` */
  static async open(bytes: Uint8Array): Promise<HeifPicture> {
    const heif = await newInstance()
    return readable(() => new HeifPicture(heif, bytes))
  }

  /**
   * Decodes a tile to interleaved colours.
   *
   * @param use - its argument is valid until it returns
   * @throws `ERR_IMAGE_UNREADABLE`
   */
  decodeTile(column: number, row: number, use: (tile: Tile) => void): void {
    const chroma = this.channels === 4 ? INTERLEAVED_RGBA : INTERLEAVED_RGB
    this.#decode(column, row, RGB, chroma, image => use(this.#plane(image, CHANNEL_INTERLEAVED)))
  }

  /**
   * Decodes a tile to what it is stored as, which saves the time of converting colours.
   *
   * @param use - its argument is valid until it returns
   * @returns whether they are as of `planes.ts`; else `use` was not called
   * @throws `ERR_IMAGE_UNREADABLE`
   */
  decodePlanes(column: number, row: number, use: (planes: PlaneTiles) => void): boolean {
    return this.#decode(column, row, YCBCR, CHROMA_420, image => {
      if (!this.#isUsual(image)) return false
      const [y, cb, cr] = CHANNELS_OF_PLANES
      use([this.#plane(image, y), this.#plane(image, cb), this.#plane(image, cr)])
      return true
    })
  }

  /** @returns the ICC profile of its colours; undefined when it has none */
  profile(): Buffer | undefined {
    const heif = this.#heif
    const length = heif._heif_image_handle_get_raw_color_profile_size(this.#handle)
    if (length === 0 || length > PROFILE_BYTES_MAX) return undefined
    const at = this.#alloc(length)
    readable(() => this.#call(heif._heif_image_handle_get_raw_color_profile, this.#handle, at))
    return Buffer.from(heif.HEAPU8.subarray(at, at + length))
  }

  /** @returns the number of its colour primaries, as of H.273; undefined when it has none */
  primaries(): number | undefined {
    try {
      this.#call(this.#heif._heif_image_handle_get_nclx_color_profile, this.#handle, this.#out)
    } catch {
      return undefined // there is none
    }
    return this.#u32(this.#u32(this.#out) + 4)
  }

  #decode<Result>(column: number, row: number, space: number, chroma: number, use: (image: number) => Result): Result {
    return readable(() => {
      const heif = this.#heif
      const decode = heif._heif_image_handle_decode_image_tile
      this.#call(decode, this.#handle, this.#out, space, chroma, this.#options, column, row)
      const image = this.#u32(this.#out)
      const result = use(image)
      heif._heif_image_release(image)
      return result
    })
  }

  #plane(image: number, channel: number): Tile {
    const heif = this.#heif
    const width = heif._heif_image_get_width(image, channel)
    const height = heif._heif_image_get_height(image, channel)
    const plane = heif._heif_image_get_plane_readonly(image, channel, this.#out)
    const stride = this.#u32(this.#out)
    if (plane === 0) throw new Error('a tile has no pixels')
    return { data: heif.HEAPU8.subarray(plane, plane + stride * height), width, height, stride }
  }

  #isPlanar(): boolean {
    const heif = this.#heif
    const preferred = heif._heif_image_handle_get_preferred_decoding_colorspace
    this.#call(preferred, this.#handle, this.#out, this.#out + 4)
    const isHalved = this.#u32(this.#out) === YCBCR && this.#u32(this.#out + 4) === CHROMA_420
    return isHalved && heif._heif_image_handle_get_luma_bits_per_pixel(this.#handle) === 8
  }

  /** Whether planes are of the kind that `planes.ts` knows: the library makes that of what others it knows. */
  #isUsual(image: number): boolean {
    try {
      this.#call(this.#heif._heif_image_get_nclx_color_profile, image, this.#out)
    } catch {
      return true // nothing is said
    }
    const at = this.#u32(this.#out)
    return MATRICES_601.includes(this.#u32(at + 12)) && this.#heif.HEAPU8[at + 16] !== 0
  }

  #readTiling(): Tiling {
    const at = this.#alloc(TILING_BYTES)
    // unturned: turned, the offsets do not fit the tiles
    this.#call(this.#heif._heif_image_handle_get_image_tiling, this.#handle, 0, at)
    const [columns = 0, rows = 0, tileWidth = 0, tileHeight = 0, width = 0, height = 0] = Array.from(
      { length: 6 },
      (_, i) => this.#u32(at + 4 * (i + 1))
    )
    return { columns, rows, tileWidth, tileHeight, width, height }
  }

  #alloc(bytes: number): number {
    const at = this.#heif._malloc(bytes)
    if (at === 0) throw new Error('out of memory')
    this.#heif.HEAPU8.fill(0, at, at + bytes)
    return at
  }

  #call(call: Call, ...args: readonly number[]): void {
    call(this.#error, ...args)
    if (this.#u32(this.#error) !== 0) throw new Error(this.#text(this.#u32(this.#error + 8)))
  }

  /** The memory moves when it grows. */
  #u32(at: number): number {
    return new DataView(this.#heif.HEAPU8.buffer).getUint32(at, true)
  }

  #text(at: number): string {
    const bytes = this.#heif.HEAPU8.subarray(at, at + 200)
    const end = bytes.indexOf(0)
    return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end)).toString('latin1')
  }
}

/** Also what ends the instance, as memory that it does not get, is the file's fault. */
function readable<Result>(task: () => Result): Result {
  try {
    return task()
  } catch (err) {
    if (err instanceof SheafError) throw err
    throw new SheafError('ERR_IMAGE_UNREADABLE', err instanceof Error ? err.message.slice(0, 200) : String(err), {
      cause: err
    })
  }
}
