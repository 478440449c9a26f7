// The layers, as rules. Imports point down only; modules on one level do not import each other.
//
//   L5  http  cli          (cli talks to a node over HTTP: of the parts below it uses domain and core, and the models that lie on this machine)
//   L4  service            (uses all of L3 and L2)
//   L3  replication        (uses all of L2)
//   L2  directory  volumes  similarity  network
//   L1  domain             (pure)
//   L0  core
//
// node.ts is the composition root and knows all; config.ts knows core only; main.ts starts node.ts or cli.

/** @param {string[]} folders - what of `src` may be imported besides the module's own folder */
function mayImportOnly(from, folders) {
  return {
    name: `${from}-imports-down-only`,
    comment: `src/${from} may import only ${[from, ...folders].map(folder => `src/${folder}`).join(', ')}`,
    severity: 'error',
    from: { path: `^src/${from}/` },
    to: { path: '^src/', pathNot: [`^src/(${[from, ...folders].join('|')})/`] }
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
    mayImportOnly('core', []),
    mayImportOnly('domain', ['core']),
    {
      name: 'domain-is-pure',
      comment: 'No I/O in the domain: of Node it may use hashes and bytes only.',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|buffer)$' }
    },
    mayImportOnly('volumes', ['domain', 'core']),
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
      comment: 'The one sideways import of level 2 is of types.',
      severity: 'error',
      from: { path: '^src/directory/' },
      to: { path: '^src/volumes/', dependencyTypesNot: ['type-only'] }
    },
    mayImportOnly('network', ['domain', 'core']),
    mayImportOnly('similarity', ['domain', 'core']),
    mayImportOnly('replication', ['directory', 'volumes', 'similarity', 'network', 'domain', 'core']),
    mayImportOnly('service', ['replication', 'directory', 'volumes', 'similarity', 'network', 'domain', 'core']),
    mayImportOnly('http', [
      'service',
      'replication',
      'directory',
      'volumes',
      'similarity',
      'network',
      'domain',
      'core'
    ]),
    mayImportOnly('cli', ['similarity/models', 'domain', 'core']),
    {
      name: 'config-knows-core-only',
      comment: 'The configuration is read before anything else exists.',
      severity: 'error',
      from: { path: '^src/config(/|\\.ts$)' },
      to: { path: '^src/', pathNot: '^src/(core/|config(/|\\.ts$))' }
    },
    {
      name: 'only-main-imports-the-composition-root',
      comment: 'node.ts wires everything; nothing may depend on the wiring.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/main\\.ts$' },
      to: { path: '^src/(node|main)\\.ts$' }
    },
    {
      name: 'source-does-not-import-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|chaos)/' }
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
