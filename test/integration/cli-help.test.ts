import { expect, test } from 'vitest'
import { cli } from './cli-harness.js'

async function registeredCommands(): Promise<string[]> {
  const { stdout } = await cli(['completion', 'fish'])
  return Array.from(stdout.matchAll(/__fish_use_subcommand -a (\S+)/g), match => match[1] as string)
}

test('sheaf alone shows every command once, on a screen of 24 lines of 80 characters', async () => {
  const { code, stderr } = await cli([])
  expect(code).toBe(2)
  const lines = stderr.trimEnd().split('\n')
  expect(lines.length).toBeLessThanOrEqual(24)
  expect(lines.filter(line => line.length > 80)).toEqual([])

  const shown = lines.flatMap(line => {
    const names = /^ {2}(\S.*?) {2}/.exec(line)?.[1] ?? /^Also: ([^.]*)/.exec(line)?.[1]
    return names?.split(', ').map(name => name.split(' ')[0]) ?? []
  })
  expect(shown).toHaveLength(new Set(shown).size)
  expect(new Set(shown)).toEqual(new Set(await registeredCommands()))
})

test('help is the same wherever it is asked for, and goes to stdout', async () => {
  const { stderr: overview } = await cli([])
  for (const args of [['--help'], ['-h'], ['help']]) {
    expect(await cli(args)).toMatchObject({ code: 0, stdout: overview, stderr: '' })
  }
})

test('each command has help of its own', async () => {
  for (const name of await registeredCommands()) {
    const { code, stdout } = await cli(['help', name])
    expect([code, stdout]).toEqual([0, expect.stringMatching(new RegExp(`^Usage: sheaf ${name}\\b`))])
  }
})

test.each(['-V', '--version'])('%s says what `sheaf version` says', async flag => {
  const { stdout } = await cli(['version'])
  expect(await cli([flag])).toMatchObject({ code: 0, stdout, stderr: '' })
})

test.each([
  [['--node', 'http://127.0.0.1:1', 'ls'], "sheaf: unknown option '--node'"],
  [['frobnicate'], "sheaf: unknown command 'frobnicate'"]
])('what comes before a command, or is none, is told with the way out: %j', async (args, problem) => {
  const { code, stderr } = await cli(args)
  expect([code, stderr]).toEqual([
    2,
    `${problem}\n\`sheaf help\` lists the commands; options come after the command, as in sheaf ls --json\n`
  ])
  expect((await cli(['ls', '--bogus'])).stderr).toBe("sheaf: unknown option '--bogus'\n")
})
