/** What a shell needs to complete a flag of `sheaf start`. */
export interface FlagHint {
  readonly flag: string
  readonly meaning: string
  readonly takesValue: boolean
  /** The values to choose from, where they are few. */
  readonly words: readonly string[]
  /** The value is a path. */
  readonly path: boolean
}

export interface CompletedCommand {
  readonly name: string
  readonly summary: string
  readonly flags: readonly FlagHint[]
  /** What the arguments are: words to choose from, paths, or nothing that a shell could know. */
  readonly argument: readonly string[] | 'path' | 'none'
}

/** @returns a script for `source <(sheaf completion bash)`; works without the bash-completion package */
export function bashScript(commands: readonly CompletedCommand[]): string {
  const flagCases = commands.flatMap(({ name, flags }) => {
    return flags
      .filter(({ takesValue }) => takesValue)
      .map(({ flag, words, path }) => {
        const action = path ? `mapfile -t COMPREPLY < <(compgen -f -- "$word")` : `reply ${shellWord(words.join(' '))}`
        return `    ${name}:${flag}) ${action}; return ;;`
      })
  })
  const commandCases = commands.map(({ name, flags, argument }) => {
    const flagWords = shellWord(flags.map(({ flag }) => flag).join(' '))
    const argumentAction =
      argument === 'path'
        ? 'mapfile -t COMPREPLY < <(compgen -f -- "$word")'
        : `reply ${shellWord(argument === 'none' ? '' : argument.join(' '))}`
    return `    ${name}) if [[ $word == -* ]]; then reply ${flagWords}; else ${argumentAction}; fi ;;`
  })
  return `# Completions of sheaf for bash. Use: source <(sheaf completion bash)
_sheaf() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]}
  reply() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word"); }
  COMPREPLY=()
  if (( COMP_CWORD == 1 )); then reply ${shellWord(commands.map(({ name }) => name).join(' '))}; return; fi
  case $command:$previous in
${flagCases.join('\n')}
  esac
  case $command in
${commandCases.join('\n')}
  esac
}
complete -o filenames -F _sheaf sheaf`
}

/** @returns a script for `source <(sheaf completion zsh)`, after `compinit` */
export function zshScript(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name, summary }) => `    ${shellWord(`${name}:${summary}`)}`)
  const cases = commands.map(({ name, flags, argument }) => {
    const flagSpecs = flags.map(({ flag, meaning, takesValue, words, path }) => {
      const value = takesValue ? `:value:${path ? '_files' : `(${words.join(' ')})`}` : ''
      return shellWord(`*${flag}[${zshText(meaning)}]${value}`)
    })
    const argumentSpec =
      argument === 'path'
        ? "'*:path:_files'"
        : argument === 'none'
          ? "'*:id:'"
          : shellWord(`*:word:(${argument.join(' ')})`)
    return `    ${name}) _arguments ${[...flagSpecs, argumentSpec].join(' ')} ;;`
  })
  return `#compdef sheaf
# Completions of sheaf for zsh. Use: source <(sheaf completion zsh)
_sheaf() {
  local -a commands=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then _describe 'command' commands; return; fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
compdef _sheaf sheaf`
}

/** @returns a script for `sheaf completion fish | source` */
export function fishScript(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, summary, flags, argument }) => {
    const inCommand = `complete -c sheaf -n ${shellWord(`__fish_seen_subcommand_from ${name}`)}`
    const flagLines = flags.map(({ flag, meaning, takesValue, words, path }) => {
      const value = takesValue ? (path ? ' -r -F' : ` -x -a ${fishWord(words.join(' '))}`) : ''
      return `${inCommand} -l ${flag.replace(/^--/, '')} -d ${fishWord(meaning)}${value}`
    })
    const argumentLines =
      argument === 'path'
        ? [`${inCommand} -F`]
        : argument === 'none'
          ? []
          : [`${inCommand} -a ${fishWord(argument.join(' '))}`]
    return [
      `complete -c sheaf -n __fish_use_subcommand -a ${name} -d ${fishWord(summary)}`,
      ...flagLines,
      ...argumentLines
    ]
  })
  return `# Completions of sheaf for fish. Use: sheaf completion fish | source
complete -c sheaf -f
${lines.join('\n')}`
}

/** Quoted for bash and zsh: nothing in it is special. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** In fish, a backslash is special within quotes as well. */
function fishWord(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/** `_arguments` ends a description at a bracket. */
function zshText(text: string): string {
  return text.replace(/[[\]\\]/g, '\\$&')
}
