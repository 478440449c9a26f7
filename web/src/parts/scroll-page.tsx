import type { ComponentChildren, JSX } from 'preact'
import './scroll-page.css'

/** A page that is read from above: keys scroll it, so it can have the focus. */
export function ScrollPage({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it, nobody without a mouse gets to what is below
    <div class="page" tabIndex={0}>
      {children}
    </div>
  )
}
