import { expect, test } from 'vitest'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { noiseBytes } from '../support/photo-maker.js'
import { RawConnection } from '../support/raw-connection.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

test('idle connections leave a node the files that it needs for uploads, whatever the limit', async () => {
  const node = await NodeProcess.start({
    dataDir: await temporaryDirectory(),
    launcher: ['sh', '-c', 'ulimit -n 800 && exec "$@"', 'sh'],
    flags: ['--volume-bytes', '1Mi'],
    logLevel: 'silent'
  })
  const client = new HttpClient(node.url)
  await client.putPhoto(noiseBytes(0, 1_000), 'first') // its connection stays
  const port = Number(new URL(node.url).port)
  const idle = await Promise.all(Array.from({ length: 1_000 }, () => RawConnection.open(port)))
  for (let i = 1; i <= 20; i++) await client.putPhoto(noiseBytes(i, 500_000), `${i}`)
  expect((await client.page('?limit=1')).total).toBe(21)
  for (const connection of idle) connection.destroy()
  client.close()
  await node.stop()
})
