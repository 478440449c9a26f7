// The house, as rules. Imports point down only: a room may import the rooms named in its row and itself, nothing else.
// Rooms on one floor do not import each other, but for what a row says. `docs/architecture.md` draws the same floors.
//
// node.ts and node-services.ts are the composition root and know every room; main.ts starts node.ts or the cli, and
// open-folder.ts a node.ts that only reads; restore-backup.ts makes a folder for one.

const floors = {
  // --- ground: no I/O of its own but the ports and adapters of clock, disk, randomness
  core: [],
  domain: ['core'],

  // --- engines: each of them knows nothing of the others
  volumes: ['domain', 'core'],
  network: ['domain', 'core'],
  similarity: ['domain', 'core'],
  archive: ['domain', 'core'],
  places: ['domain', 'core'],
  // directory stands on this floor too; its one look to the side has a rule of its own below

  // --- what joins two engines
  store: ['volumes', 'directory', 'domain', 'core'],
  replication: ['volumes', 'directory', 'network', 'domain', 'core'],

  // --- what a node does
  cluster: ['store', 'replication', 'volumes', 'directory', 'network', 'domain', 'core'],
  accounts: ['store', 'directory', 'network', 'domain', 'core'],
  photos: ['store', 'replication', 'volumes', 'directory', 'domain', 'core'],
  search: ['photos', 'store', 'similarity', 'directory', 'network', 'volumes', 'domain', 'core'],
  admin: ['archive', 'search', 'photos', 'cluster', 'store', 'replication', 'volumes', 'directory', 'domain', 'core'],

  // --- an adapter of a port of the ground; node.ts alone knows it
  telemetry: ['core'],

  // --- faces
  http: ['admin', 'search', 'photos', 'accounts', 'cluster', 'directory', 'network', 'domain', 'core'],
  cli: ['similarity/models', 'similarity/images/heads', 'domain', 'core'],

  // --- inner rooms that are layered themselves
  'network/addresses': ['domain', 'core'],
  'network/rpc': ['domain', 'core'],
  'network/libp2p': ['network/rpc', 'network/addresses', 'domain', 'core'],
  'network/membership': ['network/rpc', 'network/addresses', 'domain', 'core'],
  'cluster/events': ['directory', 'network', 'domain', 'core'],
  'cluster/members': ['store', 'replication', 'volumes', 'directory', 'network', 'domain', 'core'],
  'cluster/forgetting': [
    'cluster/members',
    'store',
    'replication',
    'volumes',
    'directory',
    'network',
    'domain',
    'core'
  ],
  'http/wire': ['domain', 'core'],
  'http/forms': ['http/wire', 'domain', 'core'],
  'http/native/schemas': ['http/wire', 'domain', 'core'],
  'cli/shell': ['domain', 'core'],
  'cli/import': ['cli/shell', 'similarity/images/heads', 'domain', 'core'],
  'cli/commands': ['cli/import', 'cli/shell', 'similarity/models', 'domain', 'core']
}

/** Files of a room that stand beside its inner rooms and that these may use: ports, and what all of them need. */
const shared = {
  'network/addresses': ['network/transport'],
  'network/rpc': ['network/transport', 'network/forwarding-transport'],
  'network/libp2p': [
    'network/transport',
    'network/refusal-log',
    'network/node-version',
    'network/told-past',
    'network/wire-version'
  ],
  'network/membership': ['network/transport', 'network/refusal-log']
}

/** @param {string} room - a folder of src, and what of src it may import besides itself */
function mayImportOnly(room, folders) {
  const files = shared[room] ?? []
  return {
    name: `${room.replaceAll('/', '-')}-imports-down-only`,
    comment: `src/${room} may import only ${[room, ...folders, ...files].map(name => `src/${name}`).join(', ')}`,
    severity: 'error',
    from: { path: `^src/${room}/` },
    to: {
      path: '^src/',
      pathNot: [`^src/(${[room, ...folders].join('|')})/`, ...files.map(name => `^src/${name}\\.ts$`)]
    }
  }
}

export default {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Neither at run time nor in types: a cycle means that two modules are one.',
      severity: 'error',
      from: {},
      to: { circular: true }
    },
    {
      name: 'no-cycles-between-rooms',
      comment: 'Nor may two folders need each other, whatever their files do.',
      severity: 'error',
      scope: 'folder',
      from: { path: '^src/' },
      to: { circular: true }
    },
    ...Object.entries(floors).map(([room, folders]) => mayImportOnly(room, folders)),
    {
      name: 'every-room-has-a-floor',
      comment: 'A new folder of src needs a row in `floors`.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${Object.keys(floors).join('|')}|directory|config)/` },
      to: {}
    },
    {
      name: 'domain-is-pure',
      comment: 'No I/O in the domain: of Node it may use hashes and bytes only.',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|buffer)$' }
    },
    {
      name: 'directory-imports-down-only',
      comment:
        'src/directory may import src/domain and src/core, and nothing of src/volumes but the types of the port ' +
        'needle-store.ts: a commit group is what the log hands to its view.',
      severity: 'error',
      from: { path: '^src/directory/' },
      to: { path: '^src/', pathNot: ['^src/(directory|domain|core)/', '^src/volumes/needle-store\\.ts$'] }
    },
    {
      name: 'directory-uses-types-of-the-port-only',
      comment: 'The one sideways import of its floor is of types.',
      severity: 'error',
      from: { path: '^src/directory/' },
      to: { path: '^src/volumes/', dependencyTypesNot: ['type-only'] }
    },
    {
      name: 'similarity-is-not-asked-by-the-commands-at-large',
      comment:
        'Only `sheaf models` looks at the models that lie on this machine, and `sheaf import` at the heads of files; all ' +
        'else asks a node over HTTP.',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: '^src/cli/(commands/models\\.ts$|import/)' },
      to: { path: '^src/similarity/' }
    },
    {
      name: 'config-knows-core-only',
      comment: 'The configuration is read before anything else exists.',
      severity: 'error',
      from: { path: '^src/config(/|\\.ts$)' },
      to: { path: '^src/', pathNot: '^src/(core/|config(/|\\.ts$))' }
    },
    {
      name: 'only-main-imports-the-composition-root',
      comment: 'node.ts and node-services.ts wire everything; nothing may depend on the wiring.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(main|node|node-metrics|open-folder)\\.ts$' },
      to: { path: '^src/(node|node-metrics|node-services|open-folder|restore-backup|main)\\.ts$' }
    },
    {
      name: 'only-node-loads-telemetry',
      comment: 'Its libraries cost memory and a slower start, so they are loaded only when somebody wants traces.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(telemetry/|node\\.ts$)' },
      to: { path: '^src/telemetry/' }
    },
    {
      name: 'source-does-not-import-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|chaos|web)/' }
    },
    {
      name: 'the-page-imports-itself-only',
      comment: 'The web page knows a node by its interface: web/src may import only web/src and packages.',
      severity: 'error',
      from: { path: '^web/src/' },
      to: { path: '^(src|test|chaos)/' }
    },
    {
      name: 'only-declared-dependencies',
      comment: 'What the program needs stands in `dependencies`, and what it uses it names itself.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown']
      }
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true }
    }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types']
    }
  }
}
