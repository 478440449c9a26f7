import { execFile, spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { flagHints } from '../../src/config/help.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { cli } from './cli-harness.js'

const run = promisify(execFile)

function hasShell(shell: string): boolean {
  return spawnSync(shell, ['-c', 'true']).status === 0
}

/** Completes a command line, as bash would on Tab, in `folder`. */
async function complete(line: readonly string[], folder: string): Promise<string[]> {
  const { stdout: script } = await cli(['completion', 'bash'], { startFlags: flagHints() })
  const words = ['sheaf', ...line].map(word => `'${word}'`).join(' ')
  const program = `${script}
COMP_WORDS=(${words}); COMP_CWORD=${line.length}
_sheaf
printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = await run('bash', ['--norc', '-c', program], { cwd: folder })
  return stdout
    .split('\n')
    .filter(word => word !== '')
    .sort()
}

describe.skipIf(!hasShell('bash'))('bash', () => {
  test('commands, their flags, values and paths', async () => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'a photo.jpg'), '')
    await mkdir(join(folder, 'album'))
    expect(await complete(['ver'], folder)).toEqual(['verify', 'version'])
    expect(await complete(['put', '--'], folder)).toEqual([
      '--album',
      '--api-key-file',
      '--ca',
      '--help',
      '--json',
      '--node',
      '--skip-existing',
      '--tag'
    ])
    expect(await complete(['put', 'a'], folder)).toEqual(['a photo.jpg', 'album'])
    expect(await complete(['put', '--tag', 'a'], folder)).toEqual([])
    expect(await complete(['get', '--output', 'a'], folder)).toEqual(['a photo.jpg', 'album'])
    expect(await complete(['get', 'a'], folder)).toEqual([])
    expect(await complete(['completion', ''], folder)).toEqual(['bash', 'fish', 'zsh'])
    expect(await complete(['models', ''], folder)).toEqual(['add', 'list', 'pull'])
    expect(await complete(['models', '--models', 'al'], folder)).toEqual(['album'])
    expect(await complete(['start', '--log-level', 'd'], folder)).toEqual(['debug'])
    expect(await complete(['start', '--vol'], folder)).toEqual(['--volume-bytes'])
    expect(await complete(['start', '--data', 'al'], folder)).toEqual(['album'])
  })

  test('the script can be sourced without a word', async () => {
    const { stdout: script } = await cli(['completion', 'bash'], { startFlags: flagHints() })
    const file = join(await temporaryDirectory(), 'sheaf.bash')
    await writeFile(file, script)
    await run('bash', ['-n', file])
    expect(await run('bash', ['--norc', '-euc', `source ${file}; complete -p sheaf`])).toMatchObject({
      stdout: 'complete -o filenames -F _sheaf sheaf\n',
      stderr: ''
    })
  })
})

test.each(['zsh', 'fish'])(
  '%s: the script knows every command and flag, and its syntax is right where the shell is there',
  async shell => {
    const { stdout: script } = await cli(['completion', shell], { startFlags: flagHints() })
    for (const command of [
      'start',
      'put',
      'get',
      'rm',
      'undelete',
      'ls',
      'info',
      'export',
      'status',
      'volumes',
      'conflicts'
    ]) {
      expect(script).toMatch(new RegExp(`\\b${command}\\b`))
    }
    for (const { flag } of flagHints())
      expect(script).toContain(shell === 'fish' ? ` -l ${flag.slice(2)} ` : `*${flag}[`)
    // Quotes in help texts must not end the words around them.
    expect(script.replaceAll("\\'", '').split("'").length % 2).toBe(1)
    if (!hasShell(shell)) return
    const file = join(await temporaryDirectory(), `sheaf.${shell}`)
    await writeFile(file, script)
    await run(shell, ['-n', file])
  }
)
