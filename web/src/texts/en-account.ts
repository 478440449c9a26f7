import { count, duration, size } from './en.js'

interface Room {
  readonly bytes: number
  readonly photos: number
}
type Quota = { readonly [What in keyof Room]: Room[What] | null }

/** What the pages of accounts say; loaded with them. */
export const words = {
  menu: 'Account',
  account: 'Your account',
  accounts: 'Accounts',
  logOut: 'Log out',
  logIn: 'Log in',
  logInTo: (node: string): string => (node === '' ? 'Log in' : `Log in to ${node}`),
  name: 'Name',
  password: 'Password',
  overheard:
    'This page came by plain HTTP: whoever is in the same network can read the password. Use an address that begins with https, if there is one.',
  tooManyTries: (seconds: number): string => `Too many failed tries. Try again in ${duration(seconds)}.`,

  signUp: 'Make an account',
  haveAccount: 'I have an account',

  display: 'Name to show',
  mail: 'Mail address',
  saved: 'Saved',
  room: (used: Room, quota: Quota): string => {
    const bytes = quota.bytes === null ? size(used.bytes) : `${size(used.bytes)} of ${size(quota.bytes)}`
    const photos = count(used.photos, 'photo', 'photos')
    const all = quota.photos === null ? photos : `${photos} of ${quota.photos}`
    return `Your photos take ${bytes}: ${all}, with those in the trash.`
  },
  changePassword: 'Change the password',
  old: 'Password until now',
  new: 'New password',
  newHint: 'At least 8 characters. A sentence is easy to keep in mind.',
  passwordChanged: 'Password changed. All other devices are logged out.',
  devices: 'Devices',
  devicesHint: 'Where you are logged in. What is not yours, end, and change your password.',
  thisDevice: 'This device',
  unknownDevice: 'Unknown device',
  since: (at: string, until: string): string => `since ${at}, until ${until} unless it is used`,
  end: 'End',
  endOf: (device: string): string => `End: ${device}`,
  endOthers: 'End all others',
  ended: (n: number): string => `${count(n, 'device', 'devices')} logged out`,
  keys: 'API keys',
  keysHint: 'A program that has a key does with your photos what the key allows, until you delete it.',
  newKey: 'New key',
  keyLabel: 'What it is for',
  scopes: 'What it allows',
  scope: {
    read: 'See photos',
    write: 'Change and delete photos',
    upload: 'Upload photos',
    metrics: 'Read figures',
    admin: 'Look after the machines'
  },
  scopeNeeded: 'Choose at least one.',
  makeKey: 'Make the key',
  secret: 'Your new key',
  secretHint: 'Copy it now: it is not shown again.',
  copy: 'Copy',
  copied: 'Copied',
  done: 'Done',
  noKeys: 'No keys yet.',
  unnamedKey: 'Without a name',
  keySince: (at: string): string => `made ${at}`,
  delete: 'Delete',
  deleteOf: (key: string): string => `Delete: ${key}`,
  keyDeleted: 'Key deleted',

  newAccount: 'New account',
  create: 'Create',
  role: 'Role',
  roleOf: (name: string): string => `Role of ${name}`,
  roles: {
    guest: 'Guest: sees photos',
    user: 'User: also uploads, changes, deletes',
    auditor: 'Auditor: also sees the cluster',
    admin: 'Administrator: all'
  },
  firstAccount:
    'Nobody needs an account now: whoever reaches this machine sees all photos. The first account is that of an administrator; from then on, everybody has to log in.',
  made: (name: string): string => `${name} has an account`,
  state: { open: 'Open', disabled: 'Disabled', closed: 'Closed' },
  noPassword: 'no password yet',
  contested:
    'Machines that were cut off from each other gave it different rights. The least counts; set the role again.',
  disable: 'Disable',
  enable: 'Open again',
  reset: 'Set a password',
  actOn: (act: string, name: string): string => `${act}: ${name}`,
  resetHint: (name: string): string => `${name} is logged out everywhere, and logs in with the new password.`,
  you: 'you'
}

/** @param label - what a device said of itself, a User-Agent as a rule @returns browser and system, if they can be told */
export function deviceName(label: string | null): string {
  if (label === null) return words.unknownDevice
  const browser = [
    [/Edg\//, 'Edge'],
    [/Firefox\//, 'Firefox'],
    [/Chrom(e|ium)\//, 'Chrome'],
    [/Safari\//, 'Safari']
  ] as const
  const system = [
    [/Android/, 'Android'],
    [/iPhone|iPad/, 'iOS'],
    [/Windows/, 'Windows'],
    [/Mac OS X/, 'macOS'],
    [/Linux/, 'Linux']
  ] as const
  if (!label.startsWith('Mozilla/')) return label
  const found = [browser, system].flatMap(list => list.find(([pattern]) => pattern.test(label))?.[1] ?? [])
  return found.length === 0 ? label : found.join(', ')
}
