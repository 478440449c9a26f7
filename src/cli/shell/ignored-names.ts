/*
 * Files and folders that programs leave among photos, by the name alone, in any case. They are passed over inside folders, and taken
 * when the user names them.
 */
const IGNORED: readonly RegExp[] = [
  /^@eadir$/,
  /^#recycle$/,
  /^\.@__thumb$/,
  /^\.thumbnails$/,
  /^\.trash/,
  /^\$recycle\.bin$/,
  /^lost\+found$/,
  /^__macosx$/,
  /^\._/,
  /^\.ds_store$/,
  /^thumbs\.db$/,
  /^desktop\.ini$/,
  /^\.nomedia$/,
  /^\.picasa\.ini$/,
  /^\.trashed-/,
  /^\.pending-/,
  /^\.syncthing\./,
  /^\.sheaf-[0-9a-f]{12}\.part$/,
  /\.(tmp|part|crdownload|aae)$/
]

/** @returns the rule by which a name in a folder is passed over; undefined: it is not */
export function ignoredBy(name: string): string | undefined {
  const lower = name.toLowerCase()
  const rule = IGNORED.find(one => one.test(lower))
  if (rule !== undefined) return rule.source
  return lower.startsWith('.') ? 'hidden' : undefined
}
