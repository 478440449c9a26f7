// Puts together what a node serves to browsers, in dist/web: see src/http/web.
import { copyFileSync, cpSync, mkdirSync } from 'node:fs'

const root = new URL('..', import.meta.url)
const at = path => new URL(path, root)

mkdirSync(at('dist/web/docs/'), { recursive: true })
for (const name of ['index.html', 'docs.js']) cpSync(at(`web/docs/${name}`), at(`dist/web/docs/${name}`))
for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css', 'LICENSE', 'swagger-ui-bundle.js.LICENSE.txt'])
  copyFileSync(at(`node_modules/swagger-ui-dist/${name}`), at(`dist/web/docs/${name}`))
