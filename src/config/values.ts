import { isIP } from 'node:net'
import { parseBytes } from '../core/byte-sizes.js'
import { parseHttpOrigin } from '../core/http-origin.js'

/** One kind of value: how it is written and what is allowed. Parsing never throws; undefined means "not allowed". */
export interface ValueKind<T> {
  /** Completes "must be …". */
  readonly allowed: string
  /** Values stand between commas, and a flag given several times adds to them. */
  readonly list?: boolean
  /** The values to choose from, where they are few. */
  readonly words?: readonly string[]
  parse(text: string): T | undefined
}

/** Where a server listens. `port` 0 picks a free one. */
export interface Address {
  /** A host name or IP address; IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

/** A size in bytes, `min`…`max` inclusive; `minText` and `maxText` are how the limits are shown. */
export function byteSize(min: number, minText: string, max: number, maxText: string): ValueKind<number> {
  return {
    allowed: `a size from ${minText} to ${maxText}: whole bytes, or a number with K, M, G, T (1000) or Ki, Mi, Gi, Ti (1024)`,
    parse: text => within(parseBytes(text), min, max)
  }
}

export function integer(min: number, max: number): ValueKind<number> {
  return {
    allowed: `a whole number from ${min} to ${max}`,
    parse: text => (/^\d+$/.test(text) ? within(Number(text), min, max) : undefined)
  }
}

/** A number that may have a fraction. */
export function decimal(min: number, max: number): ValueKind<number> {
  return {
    allowed: `a number from ${min} to ${max}`,
    parse: text => (/^\d+(\.\d+)?$/.test(text) ? within(Number(text), min, max) : undefined)
  }
}

export const path: ValueKind<string> = {
  allowed: 'a path',
  parse: text => (text.trim() === '' || text.includes('\0') ? undefined : text)
}

/** Text for people: 1 to `charactersMax` characters on one line. */
export function line(charactersMax: number): ValueKind<string> {
  return {
    allowed: `1 to ${charactersMax} characters on one line`,
    parse: text => {
      const trimmed = text.trim()
      const fits = trimmed !== '' && trimmed.length <= charactersMax && !/\p{Cc}/u.test(trimmed)
      return fits ? trimmed : undefined
    }
  }
}

export function oneOf<const T extends string>(words: readonly T[]): ValueKind<T> {
  return {
    allowed: `one of ${words.join(', ')}`,
    words,
    parse: text => words.find(word => word === text.toLowerCase())
  }
}

export const httpUrl: ValueKind<string> = {
  allowed: 'a URL that begins with http:// or https://, without a query',
  parse: text => {
    const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined
    const fits =
      url !== undefined && /^https?:$/.test(url.protocol) && url.username + url.password + url.search + url.hash === ''
    return fits ? url.href.replace(/\/+$/, '') : undefined
  }
}

/** None of its folders is `.` or `..`, which servers resolve: they would lead out of the bucket. */
const OBJECT_PREFIX = /^(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*$/

/** The beginning of names in an object store, without a slash at its ends. */
export const objectPrefix: ValueKind<string> = {
  allowed:
    'up to 200 letters, digits, dots, dashes, underscores, and slashes between them, without `.` or `..` as a folder',
  parse: text => (text.length <= 200 && OBJECT_PREFIX.test(text) ? text : undefined)
}

const SWITCH_WORDS: ReadonlyMap<string, boolean> = new Map([
  ['on', true],
  ['true', true],
  ['yes', true],
  ['1', true],
  ['off', false],
  ['false', false],
  ['no', false],
  ['0', false]
])

export const onOff: ValueKind<boolean> = {
  allowed: 'on or off',
  words: ['on', 'off'],
  parse: text => SWITCH_WORDS.get(text.toLowerCase())
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i
const IPV6_IN_BRACKETS = /^\[([0-9a-f:.]+(?:%[a-z0-9]+)?)\]$/i

function parseHost(text: string): string | undefined {
  const ipv6 = IPV6_IN_BRACKETS.exec(text)?.[1]
  if (ipv6 !== undefined) return ipv6.includes(':') ? ipv6 : undefined
  return HOST_NAME.test(text) ? text : undefined
}

function parseAddress(text: string, portMin: number): Address | undefined {
  const match = /^(.+):(\d{1,5})$/.exec(text.trim())
  const host = parseHost(match?.[1] ?? '')
  const port = within(Number(match?.[2]), portMin, 65_535)
  return host === undefined || port === undefined ? undefined : { host, port }
}

export const listenAddress: ValueKind<Address> = {
  allowed: 'HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8000, 0.0.0.0:0 or [::1]:8000',
  parse: text => parseAddress(text, 0)
}

/** Where HTTP is served: an address, or the path of a Unix socket. */
export type HttpAddress = (Address & { readonly path?: never }) | { readonly path: string; readonly host?: never }

const UNIX = 'unix:'
/** As many bytes has the address of a Unix socket for its path. */
const UNIX_PATH_BYTES_MAX = 107
const ADDRESSES_MAX = 16

export const listenList: ValueKind<readonly HttpAddress[]> = {
  allowed:
    `HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8000 or [::]:8000, or unix:PATH of at most ` +
    `${UNIX_PATH_BYTES_MAX} bytes; up to ${ADDRESSES_MAX} of them, separated by commas`,
  list: true,
  parse: text => {
    const all = parseList<HttpAddress>(text, item => (item.startsWith(UNIX) ? parseUnix(item) : parseAddress(item, 0)))
    return all !== undefined && all.length <= ADDRESSES_MAX ? all : undefined
  }
}

function parseUnix(text: string): HttpAddress | undefined {
  const at = text.slice(UNIX.length)
  return at === '' || at.includes('\0') || Buffer.byteLength(at) > UNIX_PATH_BYTES_MAX ? undefined : { path: at }
}

/** Without the zone of a link-local address. */
export const peerListenAddress: ValueKind<Address> = {
  allowed: 'HOST:PORT with a port from 0 to 65535, such as 0.0.0.0:4001, [::]:4001 or [fd00::7]:0, without a zone',
  parse: text => withoutZone(parseAddress(text, 0))
}

/** An address that others are told; without a port, the one that is listened on. IPv6 without brackets. */
export interface PublicAddress {
  readonly host: string
  readonly port?: number
}

function parsePublicAddress(text: string): PublicAddress | undefined {
  const host = parseHost(text.trim())
  return withoutZone(host === undefined ? parseAddress(text, 1) : { host })
}

/** libp2p dials and listens without a zone, so link-local addresses are of no use to it. */
function withoutZone<T extends PublicAddress>(address: T | undefined): T | undefined {
  return address?.host.includes('%') ? undefined : address
}

/** Peers try one after the other. */
const PUBLIC_ADDRESSES_MAX = 4

/** Several, say one for each family. */
export const publicAddresses: ValueKind<readonly PublicAddress[]> = {
  allowed: `1 to ${PUBLIC_ADDRESSES_MAX} of HOST or HOST:PORT, IPv6 in brackets, with ports from 1 to 65535, separated by commas`,
  list: true,
  parse: text => {
    const addresses = parseList(text, parsePublicAddress)
    return addresses !== undefined && addresses.length <= PUBLIC_ADDRESSES_MAX ? addresses : undefined
  }
}

/** Where browsers find an HTTP interface. */
export const httpOrigins: ValueKind<readonly string[]> = {
  allowed: `1 to ${PUBLIC_ADDRESSES_MAX} of http://HOST:PORT or https://HOST:PORT, without a path, separated by commas`,
  list: true,
  parse: text => {
    const origins = parseList(text, parseHttpOrigin)
    return origins !== undefined && origins.length <= PUBLIC_ADDRESSES_MAX ? origins : undefined
  }
}

/** Host names or IP addresses, without ports. */
export const hostList: ValueKind<readonly string[]> = {
  allowed: 'host names or IP addresses without ports, separated by commas',
  list: true,
  parse: text => parseList(text, item => parseHost(item)?.toLowerCase())
}

/** IP addresses, networks such as 10.0.0.0/8, or `unix` for whoever connects by a Unix socket. */
export const networkList: ValueKind<readonly string[]> = {
  allowed: 'IP addresses, networks such as 10.0.0.0/8 or fd00::/8, or unix, separated by commas',
  list: true,
  parse: text => parseList(text, item => (item === 'unix' || isNetwork(item) ? item : undefined))
}

function isNetwork(text: string): boolean {
  const match = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text)
  const family = isIP(match?.[1] ?? '')
  return family !== 0 && Number(match?.[2] ?? 0) <= (family === 4 ? 32 : 128)
}

const MULTIADDR = /^\/(ip4|ip6|dns|dns4|dns6|dnsaddr)\/[^\s/]+(\/[^\s/]+)*$/

export const peerList: ValueKind<readonly string[]> = {
  allowed: 'DNS names, HOST:PORT (IPv6 in brackets) or multiaddrs (/ip4/…/tcp/…), separated by commas',
  list: true,
  parse: text =>
    parseList(text, item => (MULTIADDR.test(item) || parsePublicAddress(item) !== undefined ? item : undefined))
}

/** @returns the parsed items, or undefined when there is none or one of them is not allowed */
function parseList<Item>(text: string, parseItem: (item: string) => Item | undefined): readonly Item[] | undefined {
  const items = text.split(',').map(item => parseItem(item.trim()))
  return items.every(item => item !== undefined) ? items : undefined
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined
}
