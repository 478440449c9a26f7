import type { UserId } from '../domain/ids.js'

/** The account that a photo belongs to. */
export interface PhotoOwner {
  readonly id: UserId
  /** As people see it; undefined: this node has not heard of the account. */
  readonly name: string | undefined
}

/** What accounts are called. */
export interface OwnerNames {
  nameOf(id: UserId): string | undefined
}

/** Where there are no accounts. */
export const NOBODY_KNOWN: OwnerNames = { nameOf: () => undefined }

export function ownerNamed(names: OwnerNames, id: UserId | undefined): PhotoOwner | undefined {
  return id && { id, name: names.nameOf(id) }
}
