/** Browsers cut boxes at 2^25 device pixels; at a ratio of 2 and with room to spare, this is half of it. */
export const CANVAS_PX_MAX = 8_000_000
/** A step of the scroll bar's thumb is a jump, one of a wheel or a finger is not; in views. */
const STEP_VIEWS_MAX = 3

/**
 * Scrolls over content of any height in a box of a bounded one.
 *
 * Small steps move content and box alike, so that wheel and finger feel as ever; a jump goes to the same fraction of both. What
 * the two have drifted apart by then is taken back when scrolling rests, or at once where the box ends before the content does:
 * see {@link settle}.
 */
export class ScrollSpace {
  #content = 0
  #view = 1
  #scrollTop = 0
  #offset = 0

  /** px of content above the view. */
  get offset(): number {
    return this.#offset
  }

  /** Height of the box, px. */
  get canvas(): number {
    return Math.min(this.#content, CANVAS_PX_MAX)
  }

  /** How far content is moved up in the box: its `top` is that in the content less this. */
  get shift(): number {
    return this.#offset - this.#scrollTop
  }

  get #offsetMax(): number {
    return Math.max(0, this.#content - this.#view)
  }

  get #scrollMax(): number {
    return Math.max(0, this.canvas - this.#view)
  }

  /** @param content - its height, px @param view - the visible part, px, more than 0 */
  resize(content: number, view: number): void {
    this.#content = content
    this.#view = view
    this.#offset = Math.min(this.#offset, this.#offsetMax)
  }

  /** The browser has scrolled. @param scrollTop - as the browser says, which may be beyond the ends for a moment */
  scrolled(scrollTop: number): void {
    const to = Math.min(Math.max(scrollTop, 0), this.#scrollMax)
    const step = to - this.#scrollTop
    const isJump = Math.abs(step) > STEP_VIEWS_MAX * this.#view
    const isSame = this.canvas === this.#content
    const offset = isSame ? to : isJump ? this.#inContent(to) : this.#offset + step
    this.#offset = this.#atEnd(to, Math.min(Math.max(offset, 0), this.#offsetMax))
    this.#scrollTop = to
  }

  /** Shows what is there in the content. @returns the `scrollTop` to be set */
  goTo(offset: number): number {
    this.#offset = Math.min(Math.max(offset, 0), this.#offsetMax)
    this.#scrollTop = this.#inCanvas(this.#offset)
    return this.#scrollTop
  }

  /** @param isResting - scrolling has ended @returns the `scrollTop` to be set, which moves nothing; undefined: none */
  settle(isResting: boolean): number | undefined {
    const wanted = this.#inCanvas(this.#offset)
    const isAtAnEnd = this.#scrollTop <= 0 || this.#scrollTop >= this.#scrollMax
    if (Math.abs(wanted - this.#scrollTop) < 1 || !(isResting || isAtAnEnd)) return undefined
    this.#scrollTop = wanted
    return wanted
  }

  /** The last pixel of the box is several of the content: where it ends, so does the content. */
  #atEnd(scrollTop: number, offset: number): number {
    if (Math.abs(this.#inCanvas(offset) - scrollTop) >= 1) return offset
    if (scrollTop <= 0) return 0
    return scrollTop >= this.#scrollMax ? this.#offsetMax : offset
  }

  #inContent(scrollTop: number): number {
    return this.#scrollMax === 0 ? 0 : (scrollTop / this.#scrollMax) * this.#offsetMax
  }

  #inCanvas(offset: number): number {
    return this.#offsetMax === 0 ? 0 : (offset / this.#offsetMax) * this.#scrollMax
  }
}
