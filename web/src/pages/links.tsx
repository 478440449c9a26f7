import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { useLoaded } from '../parts/loaded.js'
import { useWrites } from '../parts/lost-bar.js'
import { Problem } from '../parts/problem.js'
import { useApp } from '../state/app.js'
import type { Link } from '../state/links.js'
import { isOver } from '../state/shares.js'
import { factsOf, labelOf, refusal, words } from '../texts/en-links.js'
import { LinkAddress, NewLink } from './new-link.js'

export interface LinksProps {
  /** Undefined: one's own, whatever they are of, and no new one. */
  readonly album?: string
  /** What was done, to be read out. */
  readonly onSay: (text: string) => void
}

/** Links that are there, each to be withdrawn: to an album, whoever has made them, and a new one; or all of one's own. */
export function Links({ album, onSay }: LinksProps): JSX.Element {
  const { api } = useApp()
  const loaded = useLoaded(`links ${album}`, signal =>
    api.get('/v1/links', { ...(album !== undefined && { query: { album } }), signal })
  )
  const isAsking = useSignal(false)
  const address = useSignal<string | undefined>(undefined)
  const writes = useWrites()
  const head = useRef<HTMLHeadingElement>(null)
  const Heading = album === undefined ? 'h2' : 'h3'
  const { links } = loaded.value.value ?? {}
  /** @returns why not; empty: it was withdrawn */
  const withdraw = async (link: Link): Promise<string> => {
    try {
      await api.delete('/v1/links/{id}', { params: { id: link.link_id } })
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      return refusal(error)
    }
    onSay(words.withdrawn(labelOf(link)))
    head.current?.focus()
    loaded.load()
    return ''
  }
  return (
    <section aria-label={words.links}>
      <Heading ref={head} tabIndex={-1}>
        {words.links}
      </Heading>
      <p class="quiet">{album === undefined ? words.hintOfOwn : words.hint}</p>
      {loaded.error.value !== undefined && <Problem error={loaded.error.value} onAgain={loaded.load} />}
      {links?.length === 0 && <p class="quiet">{words.none}</p>}
      <ul class="account-rows">
        {links?.map(link => (
          <LinkRow key={link.link_id} link={link} tellsWhat={album === undefined} onWithdraw={() => withdraw(link)} />
        ))}
      </ul>
      {address.value !== undefined ? (
        <LinkAddress
          address={address.value}
          onClose={() => {
            address.value = undefined
            head.current?.focus()
          }}
        />
      ) : isAsking.value && album !== undefined ? (
        <NewLink
          isOfAlbum
          linked={async () => ({ album })}
          onMade={made => {
            isAsking.value = false
            address.value = made
            loaded.load()
          }}
        />
      ) : album === undefined ? null : (
        <div class="buttons">
          <button
            type="button"
            class="button"
            {...writes}
            onClick={() => {
              isAsking.value = true
            }}
          >
            {words.make}
          </button>
        </div>
      )}
    </section>
  )
}

interface LinkRowProps {
  readonly link: Link
  /** Whether it says what the link is of. */
  readonly tellsWhat: boolean
  /** @returns why not; empty: it was */
  readonly onWithdraw: () => Promise<string>
}

function LinkRow({ link, tellsWhat, onWithdraw }: LinkRowProps): JSX.Element {
  const isAsking = useSignal(false)
  const problem = useSignal('')
  const writes = useWrites()
  const label = labelOf(link)
  return (
    <li>
      <span class="account-name">
        <strong>{label}</strong>
        <span class="quiet">{[...(tellsWhat ? [words.of(link)] : []), ...factsOf(link)].join(' · ')}</span>
      </span>
      <button
        type="button"
        class="button"
        aria-label={words.actOn(words.withdraw, label)}
        aria-expanded={isAsking.value}
        {...writes}
        onClick={() => {
          isAsking.value = !isAsking.peek()
        }}
      >
        {words.withdraw}
      </button>
      {!link.in_force && <span class="note">{isOver(link, Date.now()) ? words.ended : words.isVoid}</span>}
      {isAsking.value && (
        <span class="note">
          {words.confirm}{' '}
          <button
            type="button"
            class="button button-danger"
            {...writes}
            onClick={() =>
              void onWithdraw().then(text => {
                problem.value = text
              })
            }
          >
            {words.withdrawForGood}
          </button>
        </span>
      )}
      {problem.value !== '' && (
        <span class="note" role="alert">
          {problem.value}
        </span>
      )}
    </li>
  )
}
