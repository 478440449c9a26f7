import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** Addresses reserved for documentation (RFC 5737, RFC 3849): packets to them take the default route. */
const UNASSIGNED = { 4: '192.0.2.1', 6: '2001:db8::1' } as const
/** A UDP socket needs a port, although nothing is sent to it. */
const ANY_PORT = 9

/** @returns this machine's addresses that others can use, of interfaces that are up; without link-local ones */
export function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(({ internal, address }) => !internal && !isLinkLocal(address))
    .map(({ address }) => address)
}

/** @returns the local address from which packets to `remote` go out; undefined when there is no route */
export function routeTo(remote: string): Promise<string | undefined> {
  return new Promise(resolve => {
    const socket = createSocket(isIPv6(remote) ? 'udp6' : 'udp4')
    const done = (address: string | undefined): void => {
      socket.close()
      resolve(address)
    }
    socket.once('error', () => done(undefined))
    // Connecting a UDP socket sends nothing; it only makes the system choose the route.
    socket.connect(ANY_PORT, remote, () => done(socket.address().address))
  })
}

/** @returns the local addresses of the default routes, at most one of each family */
export async function defaultRoutes(): Promise<readonly string[]> {
  const routes = await Promise.all([routeTo(UNASSIGNED[4]), routeTo(UNASSIGNED[6])])
  return routes.filter(address => address !== undefined)
}

export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}

function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab]/i.test(address)
}
