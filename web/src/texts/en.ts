/** What the page says, in English. Another language is another file of this form. */
const LANGUAGE = 'en'
const NUMBER = new Intl.NumberFormat(LANGUAGE)
const PERCENT = new Intl.NumberFormat(LANGUAGE, { style: 'percent' })
const SCORE = new Intl.NumberFormat(LANGUAGE, { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const DECIMAL = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 1 })
const PLURAL = new Intl.PluralRules(LANGUAGE)
/** Times of photos are what a clock on the wall showed: they are formatted as if they were UTC. */
const dateFormat = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat(LANGUAGE, { ...options, timeZone: 'UTC' })
const MONTH = dateFormat({ month: 'long', year: 'numeric' })
const DAY = dateFormat({ day: 'numeric', month: 'long', year: 'numeric' })
const DAY_TIME = dateFormat({ day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit' })
const LOCAL_TIME = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'medium', timeStyle: 'short' })
const RELATIVE = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: 'auto' })

export function count(n: number, one: string, other: string): string {
  return `${NUMBER.format(n)} ${PLURAL.select(n) === 'one' ? one : other}`
}
export const photos = (n: number): string => count(n, 'photo', 'photos')
export const files = (n: number): string => count(n, 'file', 'files')

export const t = {
  language: LANGUAGE,
  name: 'Sheaf',
  photos,
  photosTitle: 'Photos',
  albums: 'Albums',
  search: 'Search',
  duplicates: 'Duplicates',
  trash: 'Trash',
  cluster: 'Cluster',
  upload: 'Upload',
  navigation: 'Pages',
  skip: 'Skip to the content',
  close: 'Close',
  cancel: 'Cancel',
  save: 'Save',
  again: 'Try again',
  loading: 'Loading',
  undo: 'Undo',
  back: 'Back',
  more: 'Show more',
  mayNot: 'Your account may not see this. An administrator can give it another role.',
  tags: 'Tags',

  library: {
    emptyTitle: 'No photos yet',
    empty: 'Drop a folder of photos anywhere on this page, or choose files.',
    emptyAlbum: 'No photos in this album yet. Select some among your photos, and add them.',
    emptyTag: 'No photo has this tag.',
    chooseFiles: 'Choose photos',
    chooseFolder: 'Choose a folder',
    scrubber: 'Time line',
    month: (year: number, month: number): string => MONTH.format(Date.UTC(year, month - 1, 1)),
    photo: (name: string): string => `Photo: ${name}`,
    photoOf: (seconds: number): string => `Photo of ${DAY.format(seconds * 1_000)}`,
    videoOf: (seconds: number): string => `Video of ${DAY.format(seconds * 1_000)}`,
    withoutPicture: 'no picture',
    select: 'Select',
    selectMonth: (month: string): string => `Select ${month}`,
    conflicts: 'Edited on two sides',
    gallery: 'Photos, newest first'
  },

  selection: {
    chosen: (n: number): string => `${NUMBER.format(n)} selected`,
    clear: 'Clear the selection',
    all: 'Select all',
    delete: 'Delete',
    album: 'Add to album',
    tag: 'Add tag',
    tagPrompt: 'Tag',
    newAlbum: 'New album',
    create: 'Create',
    removeFromAlbum: 'Remove from album',
    cover: 'Use as cover',
    isCover: 'It is the cover of the album now',
    link: 'Make a link',
    download: 'Download',
    tooManyToDownload: (max: number): string => `At most ${photos(max)} can be downloaded at once.`,
    favourite: 'Favourite',
    favourites: (n: number): string => `${photos(n)} marked as ${n === 1 ? 'a favourite' : 'favourites'}`,
    archive: 'Archive',
    archived: (n: number): string => `${photos(n)} archived: out of the time line, still in albums and searches`,
    deleted: (n: number): string => `${photos(n)} moved to the trash`,
    restored: (n: number): string => `${photos(n)} restored`,
    tagged: (n: number, tag: string): string => `${photos(n)} tagged “${tag}”`,
    added: (n: number, album: string): string => `${photos(n)} added to “${album}”`,
    removed: (n: number): string => `${photos(n)} removed from the album`,
    failed: (n: number): string => `${photos(n)} could not be changed`,
    progress: (done: number, n: number): string => `${NUMBER.format(done)} of ${photos(n)}`,
    stop: 'Stop',
    /** Below the drawings of buttons, where their whole names have no room. */
    short: { album: 'Album', tag: 'Tag', cover: 'Cover', remove: 'Remove', link: 'Link' }
  },

  photo: {
    dialog: 'Photo',
    next: 'Next photo',
    previous: 'Photo before',
    info: 'Details',
    favourite: 'Favourite',
    isFavourite: 'Marked as a favourite',
    noFavourite: 'No favourite any more',
    download: 'Download',
    delete: 'Delete',
    zoom: 'Zoom',
    more: 'Show the original size',
    gone: 'This photo is not there any more.',
    noPicture: 'There is no picture of this file here. It can be downloaded.',
    pending: 'The picture is still being made.',
    videoFails: 'This browser cannot play the video. It can be downloaded.',
    caption: 'Caption',
    captionHint: 'What is to be seen?',
    rating: 'Rating',
    stars: (n: number): string => (n === 0 ? 'No rating' : count(n, 'star', 'stars')),
    addTag: 'Add a tag',
    removeTag: (tag: string): string => `Remove the tag ${tag}`,
    addAlbum: 'Add to an album',
    removeAlbum: (album: string): string => `Take out of ${album}`,
    taken: 'Taken',
    dateUnknown: 'Date unknown',
    dateOfFile: 'The date of the file: the photo does not say when it was taken.',
    editDate: 'Change the date',
    dateHint: 'Such as 1 July 1985, July 1985, 1985 or 2024-07-01 10:00. Empty: as the file says.',
    noDate: (text: string): string => `There was no “${text}”.`,
    editPlace: 'Change the place',
    placeHint: 'Degrees, such as 54.3233, 10.1228. Empty: as the file says.',
    placeUnknown: 'Not known',
    editName: 'Change the name',
    nameHint: 'A name is needed.',
    playMotion: 'Play the moment',
    slideshow: 'Slide show',
    stopSlideshow: 'Stop the slide show',
    added: 'Added',
    place: 'Place',
    camera: 'Camera',
    file: 'File',
    copies: 'Copies',
    copiesOn: (n: number): string => `on ${count(n, 'machine', 'machines')}`,
    copiesNone: 'not on this machine yet',
    versions: 'Other versions',
    versionsHint: 'Edited on two machines at once. The later edit is shown.',
    restoreVersion: 'Show this one',
    restored: 'Version restored',
    selectionChanged: 'Selection changed',
    similar: 'Similar photos',
    noSimilar: 'None found so far.',
    conflict: (theirs: string): string =>
      `Somebody else has changed this photo meanwhile. The caption is now: “${theirs}”. Save yours again to replace it.`,
    saved: 'Saved',
    deleted: 'Photo moved to the trash'
  },

  searchPage: {
    prompt: 'Search by what is to be seen, such as “red flower”, or by name, caption and place.',
    words: 'In names, captions and places',
    content: 'Photos that look like it',
    noneAlike: (q: string): string => `No photo looks much like “${q}”.`,
    lessAlike: (n: number): string => `Show ${photos(n)} less like it`,
    all: (n: number | undefined): string => (n === undefined ? 'Show all' : `Show all ${NUMBER.format(n)}`),
    none: (q: string): string => `Nothing found for “${q}”.`,
    noWords: (q: string): string => `No name, caption, place or tag has “${q}”.`,
    allOf: (time: string): string => `All of ${time}`,
    score: (value: number): string => SCORE.format(value),
    partial: (fraction: number): string =>
      `${PERCENT.format(fraction)} of the photos were searched: a part of the cluster is out of reach, or was not looked at yet.`,
    similarTo: 'Similar photos'
  },

  favourites: 'Favourites',
  archive: 'Archive',
  noFavourites: 'No favourites yet. Press the heart on a photo.',
  noArchive:
    'Nothing is archived. What you archive is out of the time line, and found here, in albums and by searches.',

  uploads: {
    drop: 'Drop photos and folders to upload them',
    unread: (first: string, more: number): string =>
      `${more === 0 ? first : `${first} and ${NUMBER.format(more)} more`} cannot be read, so not all is uploaded`,
    leave: 'Photos are still being uploaded.'
  },

  lost: {
    title: (name: string): string => `${name || 'Sheaf'} does not answer.`,
    hint: 'What is shown stays; uploads and changes wait until it is back.',
    elsewhere: 'The same place at another machine:',
    noChanges: 'Sheaf does not answer, so nothing can be changed now.'
  },

  keysTitle: 'Keys',

  /** @param text - as in `taken_at`: what a clock on the wall showed, perhaps only year or month */
  taken: (text: string): string => {
    const [, date = '', time] = /^([\d-]+)(?:T(\d\d:\d\d))?/.exec(text) ?? []
    const [year = 1970, month, day] = date.split('-').map(Number)
    if (month === undefined) return String(year)
    if (day === undefined) return MONTH.format(Date.UTC(year, month - 1, 1))
    const at = Date.parse(`${date}T${time ?? '00:00'}:00Z`)
    return Number.isNaN(at) ? text : (time === undefined ? DAY : DAY_TIME).format(at)
  },
  /** @param text - RFC 3339 @returns in the zone of the browser */
  moment: (text: string): string => LOCAL_TIME.format(Date.parse(text)),
  /** @param text - RFC 3339 */
  day: (text: string): string => DAY.format(Date.parse(text)),
  ago: (ms: number): string => {
    const s = Math.round(ms / 1_000)
    if (s < 60) return RELATIVE.format(-s, 'second')
    if (s < 3_600) return RELATIVE.format(-Math.round(s / 60), 'minute')
    if (s < 86_400) return RELATIVE.format(-Math.round(s / 3_600), 'hour')
    return RELATIVE.format(-Math.round(s / 86_400), 'day')
  },
  size,
  duration,
  number: (n: number): string => NUMBER.format(n),
  percent: (share: number): string => PERCENT.format(share),
  exposure: (s: number): string => (s >= 0.4 ? `${DECIMAL.format(s)} s` : `1/${Math.round(1 / s)} s`),
  decimal: (n: number): string => DECIMAL.format(n)
}

export function size(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000
    unit++
  }
  const text = value >= 100 || unit === 0 ? NUMBER.format(Math.round(value)) : DECIMAL.format(value)
  return `${text} ${units[unit]}`
}

export function duration(seconds: number): string {
  if (seconds < 60) return count(Math.ceil(seconds), 'second', 'seconds')
  if (seconds < 3_600) return count(Math.round(seconds / 60), 'minute', 'minutes')
  if (seconds < 172_800) return count(Math.round(seconds / 3_600), 'hour', 'hours')
  return count(Math.round(seconds / 86_400), 'day', 'days')
}
