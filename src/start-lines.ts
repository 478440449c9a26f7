export interface StartFacts {
  /** How the user calls this program: `sheaf`, or `npx sheaf` under npm. */
  readonly command: string
  /** Where HTTP is served; can be connected to as it stands, a URL or `unix:PATH`. */
  readonly http: string
  readonly operatorToken: string
  /** Multiaddrs at which peers reach this node. */
  readonly p2p: readonly string[]
  /** The data folder. */
  readonly folder: string
  /** Undefined: none is wanted. A model that is not here is being pulled. */
  readonly model: { readonly name: string; readonly isHere: boolean } | undefined
  readonly hasKey: boolean
}

const LOOPBACK = /^\/(ip4\/127\.|ip6\/::1\/)/

/** @returns what a person wants to know about a node that has just started */
export function startLines(facts: StartFacts): string[] {
  const { command, http, operatorToken, folder, hasKey } = facts
  const isUrl = http.startsWith('http') // and no Unix socket
  return [
    `Sheaf is running at ${http}. Stop it with Ctrl-C.`,
    '',
    `  Photos  \`${command} put FILE…\` adds some${isUrl ? `; see ${http}/photos` : ''}`,
    ...(isUrl
      ? [
          `  Page    ${http}/#operator=${operatorToken}`,
          '          shows your photos, and you as the operator; keep it to yourself'
        ]
      : []),
    `  Data    ${folder}`,
    `  Model   ${modelLine(facts)}`,
    ...(hasKey ? ['  Key     only nodes that hold the cluster key can join'] : noKeyLines(facts))
  ]
}

function modelLine({ command, model }: StartFacts): string {
  if (model === undefined) return 'none, so photos cannot be found by what they show'
  if (model.isHere) return `${model.name}: \`${command} search WORDS\` finds photos by what they show`
  return `${model.name} is being downloaded; until it is here, search does not work`
}

function noKeyLines({ command, p2p }: StartFacts): string[] {
  const who = p2p.every(address => LOOPBACK.test(address))
    ? 'any program on this machine'
    : 'anyone who reaches this node'
  return [
    `  Key     none, so ${who} can join its cluster.`,
    `          Make one: \`(umask 077; ${command} keygen > key)\`;`,
    '          then start with --cluster-key key'
  ]
}
