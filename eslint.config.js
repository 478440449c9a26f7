import tseslint from 'typescript-eslint'

// Biome formats and lints. ESLint has only the rules that need types, and the bans that keep clocks, timers and
// randomness in src/core, so that a simulation can own them.

const time = 'Take a Clock (src/core/clock.ts).'
const wait = 'A test waits for an event or a state: test/support/until.ts.'
const chance = 'Take a Random (src/core/random.ts).'

const rawTimersAndRandomness = {
  'no-restricted-globals': [
    'error',
    { name: 'setTimeout', message: time },
    { name: 'setInterval', message: time },
    { name: 'setImmediate', message: time },
    { name: 'performance', message: time },
    { name: 'crypto', message: chance }
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: time },
    { object: 'Math', property: 'random', message: chance },
    { object: 'process', property: 'hrtime', message: time },
    ...['setTimeout', 'setInterval', 'setImmediate', 'performance', 'crypto'].map(property => ({
      object: 'globalThis',
      property,
      message: 'Only src/core uses it.'
    })),
    ...['randomBytes', 'randomInt', 'randomUUID', 'randomFillSync'].map(property => ({ property, message: chance }))
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: [
        ...['timers', 'node:timers', 'timers/promises', 'node:timers/promises'].map(name => ({ name, message: time })),
        ...['perf_hooks', 'node:perf_hooks'].map(name => ({ name, importNames: ['performance'], message: time })),
        ...['crypto', 'node:crypto'].map(name => ({
          name,
          importNames: ['randomBytes', 'randomFill', 'randomFillSync', 'randomInt', 'randomUUID', 'webcrypto'],
          message: chance
        }))
      ]
    }
  ],
  'no-restricted-syntax': [
    'error',
    { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: time },
    { selector: "CallExpression[callee.name='Date']", message: time }
  ]
}

const typedRules = {
  '@typescript-eslint/await-thenable': 'error',
  '@typescript-eslint/no-floating-promises': 'error',
  '@typescript-eslint/no-for-in-array': 'error',
  '@typescript-eslint/no-misused-promises': 'error',
  '@typescript-eslint/no-unnecessary-type-assertion': 'error',
  '@typescript-eslint/only-throw-error': 'error',
  '@typescript-eslint/require-array-sort-compare': ['error', { ignoreStringArrays: true }],
  '@typescript-eslint/restrict-plus-operands': 'error',
  '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
  '@typescript-eslint/switch-exhaustiveness-check': [
    'error',
    { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false }
  ],
  '@typescript-eslint/unbound-method': ['error', { ignoreStatic: true }]
}

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'data/', '.bench/', 'web/src/api/openapi-types.ts'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'chaos/**/*.ts', '*.config.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname }
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: typedRules
  },
  {
    files: ['web/**/*.{ts,tsx}'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: './web/tsconfig.json', tsconfigRootDir: import.meta.dirname }
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: typedRules
  },
  {
    // A handler that rejects in a test fails that test by itself, and methods are taken apart from literals only.
    files: ['test/**/*.ts', 'chaos/**/*.ts'],
    rules: {
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/unbound-method': 'off'
    }
  },
  {
    // Of chaos/ as well: what it decides is tested without a clock; `campaign.ts` keeps the process alive.
    files: ['src/**/*.ts', 'chaos/**/*.ts'],
    ignores: ['src/core/**', 'chaos/campaign.ts'],
    rules: rawTimersAndRandomness
  },
  {
    // The page takes its time from one file, too; random keys come from the browser.
    files: ['web/**/*.{ts,tsx}'],
    ignores: ['web/src/browser/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['setTimeout', 'setInterval', 'performance'].map(name => ({
          name,
          message: 'Take Timers (web/src/browser/timers.ts).'
        }))
      ]
    }
  },
  {
    // Tests wait for events, never for time to pass; those that drive real processes are spoken of below.
    files: ['test/{unit,contract,simulation}/**/*.ts'],
    ignores: ['test/unit/core/**'],
    rules: rawTimersAndRandomness
  },
  {
    // What comes about in real processes and sockets is waited for as well, by event or with test/support/until.ts.
    files: ['test/{integration,e2e,docker}/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', { name: 'setTimeout', message: wait }],
      'no-restricted-properties': ['error', { object: 'globalThis', property: 'setTimeout', message: wait }],
      'no-restricted-imports': [
        'error',
        {
          paths: ['timers', 'node:timers', 'timers/promises', 'node:timers/promises'].map(name => ({
            name,
            message: wait
          }))
        }
      ]
    }
  },
  {
    // One turn of the event loop is no wait for time to pass: the group commit gives it to appends before it writes, and
    // tests give it to whatever is ready.
    files: ['src/volumes/**/*.ts', 'test/**/*.ts'],
    ignores: ['test/{docker,e2e,integration,support,bench}/**', 'test/unit/core/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...rawTimersAndRandomness['no-restricted-globals'].slice(1).filter(({ name }) => name !== 'setImmediate')
      ]
    }
  }
)
