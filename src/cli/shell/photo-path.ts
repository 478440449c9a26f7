/** @param id - as the user gave it */
export function photoPath(id: string, rest = ''): string {
  return `/photo/${encodeURIComponent(id)}${rest}`
}
