/*
 * The file of log-ins: what `sheaf login` keeps, for the commands that follow. JSON, at most 1 MiB:
 *
 *   version  1
 *   logins   by the origin of the node, as `originOf` names it, at most 100, the latest last:
 *              name           of the account
 *              access_token   for requests
 *              refresh_token  for the next access token
 *              expires_at     when the access token ends, RFC 3339
 *
 * Nobody else can read it (0600), and a crash leaves either the old or the new one. Two commands that write at once lose what
 * one of them wrote, which costs a log-in at most.
 */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { SheafError, systemErrorCode } from '../../core/errors.js'
import type { Random } from '../../core/random.js'
import type { NodeAddress } from './node-client.js'

const FILE_BYTES_MAX = 2 ** 20
const LOGINS_MAX = 100
const NAME_CHARACTERS_MAX = 256
const OTHERS = 0o077

/** A log-in at one node. */
export interface Login {
  /** Of the account. */
  readonly name: string
  readonly accessToken: string
  readonly refreshToken: string
  /** When the access token ends, RFC 3339. */
  readonly expiresAt: string
}

/** @returns the text if it can stand in a header as a token or an API key: visible ASCII, 1,024 characters at most */
export function parseToken(text: unknown): string | undefined {
  return typeof text === 'string' && /^[\x21-\x7e]{1,1024}$/.test(text) ? text : undefined
}

/** @returns what log-ins at a node are kept under, and what their tokens are sent to */
export function originOf({ url, socketPath }: NodeAddress): string {
  return socketPath === undefined ? url.origin : `unix:${socketPath}`
}

/** @returns where log-ins are kept; undefined when the environment names no home */
export function loginsPath(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const { XDG_CONFIG_HOME: named = '', HOME, USERPROFILE } = environment
  const home = HOME || USERPROFILE
  // the specification says that one that is not absolute is to be ignored
  const folder = isAbsolute(named) ? named : home && join(home, '.config')
  return folder === undefined || folder === '' ? undefined : join(folder, 'sheaf', 'logins.json')
}

/** The log-ins of one person on this machine. */
export class Logins {
  readonly #random: Random
  readonly #path: string | undefined

  /** @param path - see `loginsPath` */
  constructor(components: { readonly random: Random }, path: string | undefined) {
    this.#random = components.random
    this.#path = path
  }

  /** @throws `ERR_USAGE` when the file cannot be read, is damaged, or others can read it */
  async get(origin: string): Promise<Login | undefined> {
    return (await this.#read()).get(origin)
  }

  /** Where there are as many as there may be, the oldest is forgotten. @throws `ERR_USAGE`, as `get` and if it cannot be written */
  async keep(origin: string, login: Login): Promise<void> {
    const logins = await this.#read()
    logins.delete(origin)
    logins.set(origin, login)
    await this.#write(new Map([...logins].slice(-LOGINS_MAX)))
  }

  /**
   * Keeps the next access token of a log-in, unless another command has ended or replaced it meanwhile.
   *
   * @throws as `keep`
   */
  async renew(origin: string, login: Login): Promise<void> {
    const logins = await this.#read()
    if (logins.get(origin)?.refreshToken !== login.refreshToken) return
    await this.#write(logins.set(origin, login))
  }

  /** @throws as `keep` */
  async forget(origin: string): Promise<void> {
    const logins = await this.#read()
    if (logins.delete(origin)) await this.#write(logins)
  }

  async #read(): Promise<Map<string, Login>> {
    const path = this.#path
    if (path === undefined) return new Map()
    try {
      const { size, mode } = await stat(path)
      if (size > FILE_BYTES_MAX) throw damaged(path)
      if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
        throw new SheafError('ERR_USAGE', `others can read ${path}, which holds log-ins: chmod 600 it`)
      return parseLogins(await readFile(path, 'utf8')) ?? damagedIs(path)
    } catch (err) {
      if (systemErrorCode(err) === 'ENOENT') return new Map()
      throw unusable(path, 'read', err)
    }
  }

  async #write(logins: ReadonlyMap<string, Login>): Promise<void> {
    const path = this.#path
    if (path === undefined)
      throw new SheafError(
        'ERR_USAGE',
        'a log-in is kept in the home folder, and there is none: set HOME or XDG_CONFIG_HOME'
      )
    const temporary = `${path}.${Buffer.from(this.#random.bytes(8)).toString('hex')}.tmp`
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      const file = await open(temporary, 'wx', 0o600)
      try {
        await file.writeFile(formatLogins(logins))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
    } catch (err) {
      await rm(temporary, { force: true }).catch(() => {})
      throw unusable(path, 'written', err)
    }
  }
}

function formatLogins(logins: ReadonlyMap<string, Login>): string {
  const entries = [...logins].map(([origin, { name, accessToken, refreshToken, expiresAt }]) => [
    origin,
    { name, access_token: accessToken, refresh_token: refreshToken, expires_at: expiresAt }
  ])
  return `${JSON.stringify({ version: 1, logins: Object.fromEntries(entries) }, null, 2)}\n`
}

/** @returns undefined when the text is no file of log-ins */
function parseLogins(text: string): Map<string, Login> | undefined {
  let file: unknown
  try {
    file = JSON.parse(text)
  } catch {
    return undefined
  }
  const { version, logins: entries } = fieldsOf(file)
  if (version !== 1) return undefined
  const logins = new Map<string, Login>()
  for (const [origin, entry] of Object.entries(fieldsOf(entries))) {
    const login = parseLogin(fieldsOf(entry))
    if (login === undefined) return undefined
    logins.set(origin, login)
  }
  return logins
}

function parseLogin(fields: Readonly<Record<string, unknown>>): Login | undefined {
  const { name, access_token: access, refresh_token: refresh, expires_at: expiresAt } = fields
  const [accessToken, refreshToken] = [parseToken(access), parseToken(refresh)]
  if (typeof name !== 'string' || name.length > NAME_CHARACTERS_MAX) return undefined
  if (typeof expiresAt !== 'string' || Number.isNaN(Date.parse(expiresAt))) return undefined
  return accessToken && refreshToken ? { name, accessToken, refreshToken, expiresAt } : undefined
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function damagedIs(path: string): never {
  throw damaged(path)
}

function damaged(path: string): SheafError {
  return new SheafError('ERR_USAGE', `${path} is no file of log-ins: delete it, and \`sheaf login\` again`)
}

function unusable(path: string, what: 'read' | 'written', err: unknown): unknown {
  if (err instanceof SheafError) return err
  const reason = systemErrorCode(err) ?? String(err)
  return new SheafError('ERR_USAGE', `${path}, which holds log-ins, cannot be ${what} (${reason})`, { cause: err })
}
