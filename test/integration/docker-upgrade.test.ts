import { execFile } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, expect, test } from 'vitest'
import { REPOSITORY } from '../support/node-process.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

/*
 * docker/upgrade with a client that only writes down what it is asked. `test:docker` runs it with a real one.
 */

const run = promisify(execFile)
const KEYS = 'the-new-key-of-the-cluster\nthe-old-key-of-the-cluster'

let folder: string

/** @param cluster - label of the container. @param image - whether the image is here, or can be had */
async function upgrade(cluster: string, image: boolean): Promise<{ stderr: string; asked: string[] }> {
  const client = `#!/usr/bin/env bash
{ printf '%s ' "$@"; printf '\\n'; } >> ${folder}/asked
case "$*" in
  run*) printf '%s' "$SHEAF_CLUSTER_KEY" > ${folder}/key ;;
  'image inspect'* | pull*) ${image} ;;
  *io.sheaf.cluster*) echo '${cluster}' ;;
  *io.sheaf.call*) echo "--min-copies 2 " ;;
  *.Config.Env*) printf 'PATH=/bin\\0SHEAF_CLUSTER_KEY=%s\\0NODE_ENV=x\\0\\n' '${KEYS}' ;;
esac
`
  writeFileSync(join(folder, 'client'), client)
  chmodSync(join(folder, 'client'), 0o755)
  const environment = { PATH: process.env.PATH, DOCKER: join(folder, 'client') }
  const { stderr } = await run(join(REPOSITORY, 'docker/upgrade'), ['3'], { env: environment }).catch(err => err)
  const asked = readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n')
  return { stderr, asked: asked.filter(line => /^(stop|rm|run) /.test(line)) }
}

beforeEach(async () => {
  folder = await temporaryDirectory()
})

test('a node comes back as it was, with both lines of its key', async () => {
  const { stderr, asked } = await upgrade('sheaf', true)
  expect(stderr).toBe('sheaf-3 runs sheaf\n')
  expect(asked).toEqual([
    'stop --time 30 sheaf-3 ',
    'rm sheaf-3 ',
    expect.stringMatching(/^run .*--name sheaf-3 .* sheaf start --min-copies 2 $/)
  ])
  expect(readFileSync(join(folder, 'key'), 'utf8')).toBe(KEYS)
})

test('no node is taken away for an image that is not there', async () => {
  const { stderr, asked } = await upgrade('sheaf', false)
  expect(stderr).toContain('there is no image sheaf; make it with docker/build')
  expect(asked).toEqual([])
})

test('no container is taken away that docker/run did not start', async () => {
  const { stderr, asked } = await upgrade('', true)
  expect(stderr).toContain('sheaf-3 was not started by docker/run')
  expect(asked).toEqual([])
})
