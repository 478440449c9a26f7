import { count, duration, photos, size, t } from './en.js'

/** What the page of the cluster says; loaded with it. */
export const words = {
  safe: (n: number): string => `All photos are safe: on ${count(n, 'machine', 'machines')}`,
  copying: 'Photos are still being copied',
  attention: 'Needs a look',
  alone: 'One machine only',
  aloneHint: 'These photos are on this machine alone. Start Sheaf on a second one, with the same key.',
  upToDate: 'Every machine that is known has everything.',
  breaks: 'If a machine breaks',
  breaksHints: [
    'No photo is lost as long as another machine has it.',
    'Start Sheaf on a new machine with the same key: it fetches everything by itself.',
    'Then remove the broken one from this page.'
  ],
  technical: 'Technical',
  damage: (bytes: number): string => `${size(bytes)} on this machine cannot be read. Its log says more.`,
  behind: (n: number, bytes: number): string => `${count(n, 'machine lacks', 'machines lack')} ${size(bytes)}.`,
  unknownLag: (n: number): string => `What ${count(n, 'machine has', 'machines have')} is not known.`,
  down: (names: string): string => `Not in reach: ${names}.`,
  full: (names: string): string => `The disk is full: ${names}.`,
  onlyHere: (age: string): string => `Some photos have been on this machine only for ${age}.`,
  laidOutAlarm: 'Many photos were ended by another machine at once. They are kept until an operator has looked.',
  laidOut: (n: number): string => `${photos(n)} laid out: ended by another machine, and kept here for a while.`,
  laidOutFrom: (from: string, n: number): string => `${from}: ${photos(n)}`,
  unknownNode: 'an unknown machine',
  members: 'Machines',
  thisOne: 'this one',
  state: {
    alive: 'in reach',
    via: 'in reach through another',
    suspect: 'does not answer',
    down: 'not in reach',
    left: 'has left'
  },
  lastSeen: 'Last seen',
  never: 'never',
  lag: 'Still to fetch',
  nothingToCome: 'nothing: it has everything',
  unknown: 'not known',
  disk: 'Disk',
  diskOf: (free: number, total: number): string => `${size(free)} free of ${size(total)}`,
  version: 'Version',
  skew: (ms: number): string => `its clock is ${t.decimal(Math.abs(ms) / 1_000)} s ${ms > 0 ? 'ahead' : 'behind'}`,
  purgedTo: 'Deleted photos gone up to',
  library: 'On this machine',
  photosHere: 'Photos',
  bytesHere: 'Space that they take',
  searchable: 'Searchable',
  toCome: 'Still to fetch',
  toComeOf: (bytes: number, bytesPerS: number, etaS: number | null): string =>
    [size(bytes), `${size(bytesPerS)}/s`, ...(etaS === null ? [] : [`${duration(etaS)} left`])].join(', '),
  pendingLooks: (n: number): string => `${photos(n)} to look at`,
  model: 'Model',
  noModel: 'none',
  tools: 'Shows as well',
  tool: { heif: 'HEIC photos', ffmpeg: 'videos' } as Readonly<Record<string, string>>,
  programs: 'The interface for programs',
  lagOf: (bytes: number, bytesPerS: number | null, etaS: number | null): string =>
    [
      size(bytes),
      ...(bytesPerS === null || bytesPerS === 0 ? [] : [`${size(bytesPerS)}/s`]),
      ...(etaS === null || etaS === 0 ? [] : [`${duration(etaS)} left`])
    ].join(', '),
  photosOf: (n: number, isSame: boolean | undefined): string =>
    isSame === undefined ? t.number(n) : `${t.number(n)}, ${isSame ? 'the same as here' : 'not all as here'}`,
  since: 'Running since',
  open: (name: string): string => `Open the page of ${name}`,
  remove: 'Remove',
  removeTitle: (name: string): string => `Remove ${name}`,
  removeHint:
    'For a machine that will not come back. What only it has is lost; the others stop waiting for it. If it does come back, it is refused until it has been started anew.',
  removeType: (name: string): string => `Type ${name} to confirm`,
  removed: (name: string): string => `${name} is no longer a member`,
  operatorOnly: 'Removing a machine takes the address with #operator= that Sheaf prints when it is started.',
  jobs: 'Work',
  noJobs: 'None since Sheaf was started here.',
  verify: 'Check everything',
  verifyHint: 'Holds what is stored against what is listed, and this machine against all others.',
  jobStarted: (id: string): string => `Started: ${id}`,
  job: {
    verify: 'Check of this machine',
    'verify-all-peers': 'Check against all machines',
    repair: 'Repair',
    scrub: 'Reading every byte',
    compact: 'Freeing space',
    'compact-now': 'Freeing space',
    leave: 'Leaving the cluster',
    'rebuild-directory': 'Making the directory anew',
    backup: 'Backup',
    'archive-verify': 'Check of the archive',
    'archive-restore': 'Restoring from the archive'
  } as Readonly<Record<string, string>>,
  jobState: {
    queued: 'waiting',
    running: 'running',
    done: 'done',
    failed: 'failed',
    cancelled: 'cancelled'
  },
  jobProgress: (done: number, total: number | null, unit: string): string => {
    const shown = (n: number): string => (unit === 'bytes' ? size(n) : t.number(n))
    const of = total === null ? shown(done) : `${shown(done)} of ${shown(total)}`
    return unit === 'bytes' ? of : `${of} ${unit}`
  },
  faults: (n: number): string => (n === 0 ? 'nothing wrong' : count(n, 'fault: see the log', 'faults: see the log')),
  events: 'What happened',
  noEvents: 'Nothing since Sheaf was started here.',
  event: {
    'photo.uploaded': (n: number): string => `${photos(n)} added`,
    'photo.updated': (n: number): string => `${photos(n)} changed`,
    'photo.deleted': (n: number): string => `${photos(n)} deleted`,
    'photo.conflict': (n: number): string => `${photos(n)} changed at two places at once: see other versions`,
    'member.up': () => 'machine in reach',
    'member.down': () => 'machine not in reach',
    'repair.done': () => 'damage repaired'
  }
}
