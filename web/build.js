// Puts together what a node serves to browsers, in dist/web: see src/http/web.
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'vite'

// What is shipped does not depend on who builds it: a test runner, say, sets its own.
process.env.NODE_ENV = 'production'

const root = new URL('..', import.meta.url)
const at = path => new URL(path, root)

// The interface, for a browser: /docs.
mkdirSync(at('dist/web/docs/'), { recursive: true })
for (const name of ['index.html', 'docs.js']) cpSync(at(`web/docs/${name}`), at(`dist/web/docs/${name}`))
for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css', 'LICENSE', 'swagger-ui-bundle.js.LICENSE.txt'])
  copyFileSync(at(`node_modules/swagger-ui-dist/${name}`), at(`dist/web/docs/${name}`))

// The page for people: /. All that it needs is packed into it.
const page = 'dist/web/page/'
rmSync(at(page), { recursive: true, force: true })
await build({
  root: fileURLToPath(at('web')),
  base: '/',
  configFile: false,
  logLevel: 'warn',
  publicDir: false,
  worker: { format: 'es' },
  build: {
    outDir: fileURLToPath(at(page)),
    emptyOutDir: false,
    target: 'es2022',
    assetsInlineLimit: 0, // the page's policy allows no data: addresses
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: false
  }
})
for (const name of readdirSync(at(`${page}assets/`))) copyFileSync(at(`${page}assets/${name}`), at(page + name))
rmSync(at(`${page}assets/`), { recursive: true })
const names = readdirSync(at(page))
for (const name of names) {
  const bytes = readFileSync(at(page + name))
  writeFileSync(
    at(`${page}${name}.br`),
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })
  )
  writeFileSync(at(`${page}${name}.gz`), gzipSync(bytes, { level: 9 }))
}
writeFileSync(at(`${page}files.json`), JSON.stringify(names))
