import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** The yardstick of reads: nginx with one worker, static files under /static/. */
export class Nginx {
  readonly url: string
  /** Where the files of /static/ lie. */
  readonly staticDir: string
  readonly #master: ChildProcess

  private constructor(root: string, port: number, master: ChildProcess) {
    this.url = `http://127.0.0.1:${port}`
    this.staticDir = join(root, 'static')
    this.#master = master
  }

  /** @param root - an empty folder for its configuration, its log and all files */
  static async start(root: string): Promise<Nginx> {
    const port = await freePort()
    for (const name of ['static', 'body']) mkdirSync(join(root, name), { recursive: true })
    writeFileSync(join(root, 'nginx.conf'), configuration(root, port))
    const args = ['-p', root, '-c', join(root, 'nginx.conf'), '-e', join(root, 'error.log'), '-g', 'daemon off;']
    const master = spawn('nginx', args, { stdio: ['ignore', 'ignore', 'inherit'] })
    process.once('exit', () => master.kill('SIGKILL'))
    const nginx = new Nginx(root, port, master)
    for (let attempt = 0; attempt < 100; attempt++) {
      if (master.exitCode !== null) throw new Error(`nginx ended with ${master.exitCode}`)
      const answer = await fetch(`${nginx.url}/static/`).catch(() => undefined)
      if (answer !== undefined) return nginx
      await delay(50)
    }
    throw new Error('nginx does not answer')
  }

  /** The process that serves. */
  get workerPid(): number {
    const { pid } = this.#master
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
  }

  async stop(): Promise<void> {
    this.#master.kill('SIGTERM')
    if (this.#master.exitCode === null) await once(this.#master, 'exit')
  }
}

/** `open_file_cache max` must stay below the limit of open files, or nginx serves nothing. */
function configuration(root: string, port: number): string {
  return `${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
worker_rlimit_nofile 8192;
pid ${join(root, 'nginx.pid')};
events { worker_connections 1024; }
http {
  access_log off;
  types { image/jpeg jpg; }
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_requests 100000000;
  open_file_cache max=2000 inactive=600s;
  open_file_cache_valid 600s;
  client_body_temp_path ${join(root, 'body')};
  server {
    listen 127.0.0.1:${port};
    root ${root};
  }
}
`
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port)
        else reject(new Error('no port'))
      })
    })
  })
}
