import { settingsMarkdown } from '../../../src/config/help.js'
import { ERROR_CODES, type ErrorCode } from '../../../src/core/errors.js'
import { METRICS, type MetricFamily } from '../../../src/core/metric-families.js'
import { ERROR_MAP } from '../../../src/http/wire/error-map.js'
import { cliReference } from './cli-reference.js'
import { generatedFormats } from './formats.js'

/** A document that the code writes. */
export interface Generated {
  /** From the root of the repository. */
  readonly path: string
  readonly text: string
}

/** All documents that `npm run docs` writes and `npm run docs:check` compares. A new one is a line here. */
export async function generatedDocuments(): Promise<readonly Generated[]> {
  return [
    generatedFormats(),
    { path: 'docs/reference/settings.md', text: noticed(settingsReference()) },
    { path: 'docs/reference/errors.md', text: noticed(errorsReference()) },
    { path: 'docs/reference/metrics.md', text: noticed(metricsReference()) },
    { path: 'docs/reference/cli.md', text: noticed(await cliReference()) }
  ]
}

function noticed(text: string): string {
  return `${NOTICE}\n\n${text}`
}

const NOTICE = '<!-- Written by `npm run docs` from the code. Do not edit. -->'

function settingsReference(): string {
  return `# Settings

These are the settings of \`sheaf start\`. A flag beats an environment variable, which beats a key of the \`--config\`
file, which beats the default. A key of the file is the flag with underscores: \`--min-copies\` is \`"min_copies"\`. Byte
counts take suffixes: \`4Gi\`, \`500M\`.

A node checks all settings before it does anything, reports every fault at once, and exits with 2.

${settingsMarkdown()}

The client commands read \`SHEAF_NODE\` (the node to talk to) and \`SHEAF_MODELS\`; see [the commands](cli.md).
`
}

function errorsReference(): string {
  const codes = Object.keys(ERROR_CODES) as ErrorCode[]
  const rows = codes.map(code => {
    const { status, retryAfterS } = ERROR_MAP[code]
    return `| \`${code}\` | ${status} | ${retryAfterS ?? ''} | ${ERROR_CODES[code]} |`
  })
  return `# Errors

Every error of the HTTP interface is an \`application/problem+json\` document (RFC 9457) with \`code\`, \`title\`,
\`status\` and \`detail\`. Programs look at \`code\`; \`detail\` is for people. A 503 carries \`Retry-After\`, in seconds.

The command line prints the same codes. Those that only it, or the start of a node, can meet have the status 500 here and
never reach a client.

| code | status | retry after (s) | meaning |
|---|---|---|---|
${rows.join('\n')}
`
}

function metricsReference(): string {
  const rows = Object.entries<MetricFamily>(METRICS).map(([name, { type, help, labels = [] }]) => {
    return `| \`${name}\` | ${type} | ${labels.map(label => `\`${label}\``).join(', ')} | ${help} |`
  })
  return `# Metrics

What \`GET /metrics\` answers, in the text format 0.0.4 of Prometheus. [Operations](../operations.md#metrics) says how to
scrape, show and alert.

Counters begin at 0 with the process. A gauge that is not known is left out, as those of other members are on a lone node;
a series with labels appears with its first value. Nothing is scanned for an answer.

| metric | type | labels | meaning |
|---|---|---|---|
${rows.join('\n')}
`
}
