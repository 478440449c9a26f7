import type { App } from './app.js'

/** @throws {@link ApiError} such as `ERR_BAD_CREDENTIALS`, `ERR_ACCOUNT_DISABLED`, `ERR_TOO_MANY_TRIES` */
export async function logIn(
  { api, session }: Pick<App, 'api' | 'session'>,
  name: string,
  password: string
): Promise<void> {
  session.take(await api.post('/session', { name, password }))
}

/** @throws {@link ApiError} */
export async function logOut(app: Pick<App, 'api' | 'startAnew'>): Promise<void> {
  await app.api.delete('/session')
  app.startAnew()
}

/** Whether a password can be read on its way: by plain HTTP, from another machine. */
export function isOverheard({ protocol, hostname }: Pick<Location, 'protocol' | 'hostname'>): boolean {
  return protocol === 'http:' && !/^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
}
