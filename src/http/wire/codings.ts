/** RFC 9110, section 12.5.3, for codings that a node has: what is named is taken, unless with a weight of 0. */
export function acceptsCoding(header: string, coding: string): boolean {
  return header.split(',').some(item => {
    const [name = '', ...parameters] = item.split(';').map(text => text.trim().toLowerCase())
    return name === coding && !parameters.some(it => /^q=0(?:\.0*)?$/.test(it))
  })
}
