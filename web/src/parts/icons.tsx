import type { JSX } from 'preact'

const PATHS = {
  photos: 'M4 5h16v14H4zM4 16l5-5 4 4 2-2 5 5M15.500 9.500h.01',
  search: 'M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13ZM20 20l-4.500-4.500',
  albums: 'M5 8h14v12H5zM7 5h10M9 2.500h6',
  duplicates: 'M4 4h11v11H4zM9 15v5h11V9h-5',
  trash: 'M4 7h16M9 7V4h6v3M6.500 7l1 13h9l1-13M10 11v5M14 11v5',
  cluster: 'M4 4h16v6H4zM4 14h16v6H4zM7.500 7h.01M7.500 17h.01',
  upload: 'M12 16V4M7 9l5-5 5 5M4 16v4h16v-4',
  close: 'M6 6l12 12M18 6 6 18',
  left: 'M15 5l-7 7 7 7',
  right: 'M9 5l7 7-7 7',
  info: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11v5M12 8h.01',
  download: 'M12 4v12M7 11l5 5 5-5M4 20h16',
  zoom: 'M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13ZM20 20l-4.500-4.500M8 10.500h5M10.500 8v5',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  tag: 'M4 4h7l9 9-7 7-9-9zM8 8h.01',
  add: 'M12 5v14M5 12h14',
  play: 'M8 5.500v13l10.500-6.500z',
  pause: 'M8 5v14M16 5v14',
  fork: 'M6 4v6a4 4 0 0 0 4 4h4a4 4 0 0 1 4 4v2M6 14v6',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  down: 'M6 9l6 6 6-6',
  edit: 'M4 20l1-4L16 5l3 3L8 19z',
  link: 'M10 14l4-4M9 9l2-2a4 4 0 0 1 6 6l-2 2M15 15l-2 2a4 4 0 0 1-6-6l2-2',
  heart:
    'M12 20C5 15 3.500 11.500 3.500 8.800A4.300 4.300 0 0 1 12 7a4.300 4.300 0 0 1 8.500 1.800C20.500 11.500 19 15 12 20z',
  archive: 'M3 4h18v4H3zM5 8v12h14V8M9.500 12h5',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4 20c1-4 4-6 8-6s7 2 8 6',
  star: 'M12 4l2.500 5.200 5.500.8-4 4 .9 5.700L12 17l-4.900 2.700.9-5.700-4-4 5.500-.8z'
} as const
export type IconName = keyof typeof PATHS

/** A drawing of 24 × 24; it says nothing, so what it stands in has a name. */
export function Icon({ name, filled = false }: { readonly name: IconName; readonly filled?: boolean }): JSX.Element {
  return (
    <svg class={filled ? 'icon icon-filled' : 'icon'} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}
