export function get(path: string, headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`
}

export function put(contentLength: number, headers = ''): string {
  return `PUT /v1/photos HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${contentLength}\r\n${headers}\r\n`
}

/** Answers on one connection, in order; all with a Content-Length. */
export function answersOf(received: Buffer): { status: number; body: Buffer }[] {
  const answers: { status: number; body: Buffer }[] = []
  for (let at = 0; at < received.length; ) {
    const end = received.indexOf('\r\n\r\n', at) + 4
    if (end < 4) break
    const head = received.toString('latin1', at, end)
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
    if (received.length < end + length) break
    answers.push({ status: Number(head.slice(9, 12)), body: received.subarray(end, end + length) })
    at = end + length
  }
  return answers
}

/** Bytes that differ from place to place and from seed to seed. */
export function pattern(byteCount: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(byteCount)
  for (let i = 0; i < byteCount; i++) bytes[i] = (i * 7 + seed) % 251
  return bytes
}
