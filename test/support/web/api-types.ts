/*
 * `tsx test/support/web/api-types.ts` writes the types of the interface, as its own document tells it, to where the page takes
 * them from. They are not kept: what the page believes of the interface is proven at each check.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import openapiTypeScript, { astToString, type OpenAPI3 } from 'openapi-typescript'
import { startHttp } from '../http-fixture.js'
import { REPOSITORY } from '../node-process.js'

const http = await startHttp()
const document = await http.client.json<OpenAPI3>('GET', '/openapi.json', 200)
const types = await openapiTypeScript(document, { alphabetize: true, immutable: true })
writeFileSync(join(REPOSITORY, 'web', 'src', 'api', 'openapi-types.ts'), astToString(types))
// nobody waits for it: the process ends when nothing is left to do
void http.close()
