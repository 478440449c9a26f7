import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { REPOSITORY } from '../support/node-process.js'
import { tinyJpeg } from '../support/photo-maker.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const run = promisify(execFile)

/** The environment without what npm says about this very package to the scripts that it runs. */
const environment: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(SHEAF_|npm_(?!config_|package_config_node_gyp_)|npm_config_local_)/.test(name)
    )
  ),
  // `docs/dependencies.md` tells users to say this as well.
  ONNXRUNTIME_NODE_INSTALL: 'skip'
}

interface PackedFile {
  readonly path: string
}

async function pack(folder: string): Promise<{ readonly tarball: string; readonly paths: readonly string[] }> {
  const args = ['pack', '--json', '--pack-destination', folder]
  const { stdout } = await run('npm', args, { cwd: REPOSITORY, env: environment })
  const json = stdout.slice(stdout.search(/^[[{]\s*$/m)) // what scripts print comes before
  const [packed] = Object.values(JSON.parse(json) as Record<string, { filename: string; files: PackedFile[] }>)
  if (packed === undefined) throw new Error(`npm pack made nothing: ${stdout}`)
  return { tarball: join(folder, packed.filename), paths: packed.files.map(file => file.path) }
}

/** Runs `npx sheaf start` in `folder` until the test ends. @returns the URL */
async function startWithNpx(folder: string): Promise<string> {
  const flags = [
    '--data',
    'data',
    '--http',
    '127.0.0.1:0',
    '--p2p',
    '127.0.0.1:0',
    '--model',
    'none',
    '--log-level',
    'error'
  ]
  const npx = spawn('npx', ['--no', 'sheaf', 'start', ...flags], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true // a group of its own: npx, its shell and the node get the signal
  })
  onTestFinished(async () => {
    const ended = once(npx, 'close')
    process.kill(-(npx.pid as number), 'SIGTERM')
    await ended
  })
  const [line] = (await once(createInterface(npx.stdout), 'line')) as [string]
  expect(line).toMatch(/^ready \{/)
  return (JSON.parse(line.slice('ready '.length)) as { http: string }).http
}

test('the package runs where its tarball is installed, and holds nothing but the program', async () => {
  const folder = await temporaryDirectory()
  const { tarball, paths } = await pack(folder)
  const page = paths.filter(path => path.startsWith('dist/web/page/')).map(path => path.slice('dist/web/page/'.length))
  expect(page).toEqual(expect.arrayContaining(['files.json', 'index.html', 'index.html.br', 'index.html.gz']))
  for (const name of page) expect(name).toMatch(/^(files\.json|index\.html|[\w-]+-[\w-]{8}\.(js|css|svg))(\.br|\.gz)?$/)
  const others = paths.filter(path => !path.startsWith('dist/web/page/') && !/^dist\/[a-z0-9/-]+\.js$/.test(path))
  const web = ['LICENSE', 'index.html', 'swagger-ui-bundle.js.LICENSE.txt', 'swagger-ui.css']
  const files = ['LICENSE', 'NOTICE', 'README.md', 'dist/places.br', ...web.map(name => `dist/web/docs/${name}`)]
  expect(others.sort()).toEqual([...files, 'package.json'])

  await writeFile(join(folder, 'package.json'), '{}')
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], {
    cwd: folder,
    env: environment
  })
  const url = await startWithNpx(folder)
  const photo = tinyJpeg(1)
  const form = new FormData()
  form.set('file', new Blob([photo]), 'a.jpg')
  const uploaded = await fetch(`${url}/upload`, { method: 'POST', body: form })
  const { photo_id: id } = (await uploaded.json()) as { photo_id: string }
  const answer = await fetch(`${url}/photo/${id}`)
  expect(Buffer.from(await answer.arrayBuffer()).equals(photo)).toBe(true)
})
