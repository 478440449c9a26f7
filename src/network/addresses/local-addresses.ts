import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** An address that nothing has, in a network for documentation (RFC 5737, RFC 3849): the route there is the default one. */
const UNASSIGNED = { 4: '192.0.2.1', 6: '2001:db8::1' } as const
/** A UDP socket wants a port although nothing is sent there. */
const ANY_PORT = 9

/** @returns this machine's addresses for others, of interfaces that are up; link-local ones left out */
export function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(({ internal, address }) => !internal && !isLinkLocal(address))
    .map(({ address }) => address)
}

/** @returns the address of this machine from which packets to `remote` go out; undefined when none would */
export function routeTo(remote: string): Promise<string | undefined> {
  return new Promise(resolve => {
    const socket = createSocket(isIPv6(remote) ? 'udp6' : 'udp4')
    const done = (address: string | undefined): void => {
      socket.close()
      resolve(address)
    }
    socket.once('error', () => done(undefined))
    // Connecting a UDP socket sends nothing; it only has the system choose the route.
    socket.connect(ANY_PORT, remote, () => done(socket.address().address))
  })
}

/** @returns the address from which packets to the rest of the world go out */
export async function defaultRoute(): Promise<string | undefined> {
  return (await routeTo(UNASSIGNED[4])) ?? (await routeTo(UNASSIGNED[6]))
}

export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}

function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab]/i.test(address)
}
