/*
 * An S3 server of npm in a process of its own, with one bucket `photos` in the folder that is the first argument. It sends its
 * port to whoever forked it, and ends with it.
 */
import S3rver from 's3rver'

const server = new S3rver({
  port: 0,
  address: '127.0.0.1',
  silent: true,
  directory: process.argv[2] as string,
  configureBuckets: [{ name: 'photos' }]
})
const { port } = await server.run()
process.send?.(port)
process.once('disconnect', () => process.exit(0))
