import type { App } from './app.js'

/** @throws {@link ApiError} such as `ERR_BAD_CREDENTIALS`, `ERR_ACCOUNT_DISABLED`, `ERR_TOO_MANY_TRIES` */
export async function logIn(
  { api, session }: Pick<App, 'api' | 'session'>,
  name: string,
  password: string
): Promise<void> {
  session.take(await api.post('/session', { name, password }))
}

/** The links that were open are so no more: whoever comes next is somebody else. @throws {@link ApiError} */
export async function logOut(app: Pick<App, 'api' | 'startAnew'>): Promise<void> {
  await app.api.delete('/v1/links/open')
  await app.api.delete('/session')
  app.startAnew()
}

/** @returns the text of an invite that an address ends with, `#/invite/…` */
export function inviteIn(hash: string): string | undefined {
  return /^#\/invite\/([\w-]{64})$/.exec(hash)?.[1]
}

/** Makes an account for whoever asks, and logs him in. @throws {@link ApiError} such as `ERR_SIGNUP_CLOSED`, `ERR_INVITE_NOT_FOUND` */
export async function signUp(
  app: Pick<App, 'api' | 'session'>,
  wish: { readonly name: string; readonly password: string; readonly display?: string; readonly invite?: string }
): Promise<void> {
  await app.api.post('/v1/signup', wish)
  await logIn(app, wish.name, wish.password)
}

/** Whether a password can be read on its way: by plain HTTP, from another machine. */
export function isOverheard({ protocol, hostname }: Pick<Location, 'protocol' | 'hostname'>): boolean {
  return protocol === 'http:' && !isOnlyHere(hostname)
}

/** Whether an address with it is good on this machine only. */
export function isOnlyHere(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
}
