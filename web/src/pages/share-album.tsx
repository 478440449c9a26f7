import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { Dialog } from '../parts/dialog.js'
import { FormField, typedInto } from '../parts/form-field.js'
import { Icon } from '../parts/icons.js'
import { useLoaded } from '../parts/loaded.js'
import { useWrites } from '../parts/lost-bar.js'
import { NameForm } from '../parts/name-form.js'
import { Problem } from '../parts/problem.js'
import { useApp } from '../state/app.js'
import {
  DAY_MAX,
  dayOf,
  endOfDay,
  type Group,
  isOver,
  lastDayOf,
  mayHandOver,
  mayOpenSharing,
  mayShare,
  principalOf,
  rolesFor,
  type Share,
  type ShareRole,
  type Sharing
} from '../state/shares.js'
import { t } from '../texts/en.js'
import { nameOf, refusal, words } from '../texts/en-shares.js'
import { Links } from './links.js'
import './account-page.css'

/** As many as a node lists at once. */
const NAMES_MAX = 1_000
const NAME_CHARACTERS_MAX = 64
const ALL = ['everyone', 'public'] as const

export interface ShareAlbumProps {
  readonly id: string
  readonly name: string
  readonly sharing: Sharing
  /** What has kept the page from reading it anew. */
  readonly error: ApiError | undefined
  /** To whom it is open has changed, or is otherwise than it was known. */
  readonly onChange: () => void
  readonly onClose: () => void
}

/** @returns why it was not made; empty: it was */
type Give = (principal: string, role: ShareRole, end: string | null) => Promise<string>

/** To whom an album is open, for whoever may say so. */
export function ShareAlbum({ id, name, sharing, error, onChange, onClose }: ShareAlbumProps): JSX.Element {
  const app = useApp()
  const { api, toasts } = app
  const user = app.session.user.value
  const said = useSignal('')
  const isForNames = app.session.can.value.has('accounts')
  const names = useLoaded(`names ${isForNames}`, async signal => {
    if (!isForNames) return []
    const { users } = await api.get('/v1/users', { query: { limit: NAMES_MAX }, signal })
    return users.filter(({ state }) => state === 'open').map(it => it.name)
  })
  const known = names.value.value ?? []
  const groups = useLoaded('groups', async signal => (await api.get('/v1/groups', { signal })).groups)
  // an administrator sees groups that he is not in
  const own = (groups.value.value ?? []).filter(({ role }) => role !== 'none')
  const people = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    // it was on something that is gone now
    if (document.activeElement === document.body) people.current?.focus()
  })

  const change = async (make: () => Promise<Sharing>, text: string): Promise<string> => {
    try {
      const now = await make()
      said.value = text
      if (!mayOpenSharing(now, user)) {
        onClose()
        toasts.say(text)
      }
      if (now.role === 'none') app.replace({ page: 'albums' })
      else onChange()
      return ''
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      said.value = ''
      onChange()
      return refusal(error)
    }
  }
  const put = (principal: string, role: ShareRole, end: string | null): Promise<Sharing> =>
    api.put('/v1/albums/{id}/shares/{principal}', { role, expires_at: end }, { params: { id, principal } })
  const take = (principal: string): Promise<Sharing> =>
    api.delete('/v1/albums/{id}/shares/{principal}', { params: { id, principal } })
  const handOver = (next: string): Promise<string> =>
    change(() => api.put('/v1/albums/{id}/owner', { user: next }, { params: { id } }), words.handedOver(name, next))
  return (
    <Dialog title={words.title(name)} onClose={onClose}>
      <Owner sharing={sharing} known={known} onOwner={mayHandOver(sharing, user) ? handOver : undefined} />
      {mayShare(sharing) && (
        <>
          <section aria-label={words.people}>
            <h3 ref={people} tabIndex={-1}>
              {words.people}
            </h3>
            {sharing.shares.length === 0 && <p class="quiet">{words.nobody}</p>}
            <ul class="account-rows">
              {sharing.shares.map(share => (
                <ShareRow
                  key={share.principal}
                  share={share}
                  onGive={(who, role, end) => change(() => put(who, role, end), words.changed(nameOf(share)))}
                  onTake={() => change(() => take(share.principal), words.taken(nameOf(share)))}
                />
              ))}
            </ul>
          </section>
          <NewShare
            known={known}
            groups={own}
            owner={sharing.owner?.name ?? ''}
            // where there are others, they are to be seen first
            isFirst={sharing.shares.length === 0}
            onGive={(who, role, end) => change(() => put(who, role, end), words.given(calledBy(who, own)))}
          />
          <Links
            album={id}
            onSay={text => {
              said.value = text
            }}
          />
        </>
      )}
      {!mayOpenSharing(sharing, user) && <Refusal text={words.mayNotAnyMore} />}
      {error !== undefined && <Problem error={error} onAgain={onChange} />}
      {groups.error.value !== undefined && <Problem error={groups.error.value} onAgain={groups.load} />}
      {names.error.value !== undefined && <Problem error={names.error.value} onAgain={names.load} />}
      <p class="quiet" role="status">
        {said.value}
      </p>
    </Dialog>
  )
}

interface OwnerProps {
  readonly sharing: Sharing
  readonly known: readonly string[]
  /** @returns why not; empty: it belongs to that one now. Undefined: only others can say whose it is */
  readonly onOwner: ((name: string) => Promise<string>) | undefined
}

/** Whose the album is, and how somebody else gets it. */
function Owner({ sharing: { owner, role }, known, onOwner }: OwnerProps): JSX.Element {
  const isAsked = useSignal(false)
  const problem = useSignal('')
  const writes = useWrites()
  const isOfEveryone = owner === null
  const whose = isOfEveryone
    ? words.isOfEveryone
    : role === 'owner'
      ? words.isYours
      : words.isOf(owner.name ?? words.unknown)
  const give = async (next: string): Promise<void> => {
    problem.value = (await onOwner?.(next)) ?? ''
  }
  return (
    <section class="form" aria-label={words.owner}>
      <p>
        {whose}{' '}
        {onOwner !== undefined && !isOfEveryone && (
          <button
            type="button"
            class="link-button"
            aria-expanded={isAsked.value}
            {...writes}
            onClick={() => {
              isAsked.value = !isAsked.peek()
            }}
          >
            {words.handOver}
          </button>
        )}
      </p>
      {onOwner !== undefined && (isOfEveryone || isAsked.value) && (
        <>
          {!isOfEveryone && <p class="quiet">{words.handOverHint}</p>}
          <NameForm label={words.newOwner} action={words.handOver} known={known} onName={next => void give(next)} />
          <Refusal text={problem.value} />
        </>
      )}
    </section>
  )
}

interface ShareRowProps {
  readonly share: Share
  readonly onGive: Give
  readonly onTake: () => Promise<string>
}

function ShareRow({ share, onGive, onTake }: ShareRowProps): JSX.Element {
  const { principal, user, role, expires_at: end, given_by: givers, contested, in_force: isInForce } = share
  const me = useApp().session.user.value
  const isDating = useSignal(false)
  const problem = useSignal('')
  const writes = useWrites()
  const name = nameOf(share)
  const hasEnded = isOver(share, Date.now())
  const lastDay = lastDayOf(end)
  const give = async (next: ShareRole, until: string | null): Promise<void> => {
    problem.value = await onGive(principal, next, until)
    if (problem.peek() === '') isDating.value = false
  }
  const why = hasEnded ? words.isOver : contested ? words.contested : isInForce ? undefined : words.isVoid
  return (
    <li>
      <span class="account-name">
        <strong>{name}</strong>
        <span class="quiet">
          {[
            ...(user !== null && user.user_id === me?.user_id ? [words.you] : []),
            ...(lastDay === '' ? [] : [(hasEnded ? words.ended : words.until)(t.day(lastDay))]),
            words.by(givers.map(giver => giver.name ?? words.unknown))
          ].join(' · ')}
        </span>
      </span>
      <span class="buttons">
        <select
          aria-label={words.roleOf(name)}
          value={role}
          disabled={writes.disabled || hasEnded}
          title={writes.title}
          onChange={({ currentTarget }) => void give(currentTarget.value as ShareRole, end)}
        >
          {rolesFor(principal).map(it => (
            <option key={it} value={it}>
              {words.roles[it]}
            </option>
          ))}
        </select>
        <button
          type="button"
          class="button"
          aria-label={words.actOn(words.end, name)}
          aria-expanded={isDating.value}
          {...writes}
          onClick={() => {
            isDating.value = !isDating.peek()
          }}
        >
          {words.end}
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label={words.actOn(words.take, name)}
          disabled={writes.disabled}
          title={writes.title ?? words.take}
          onClick={() =>
            void onTake().then(text => {
              problem.value = text
            })
          }
        >
          <Icon name="close" />
        </button>
      </span>
      {why !== undefined && (
        <span class="note">
          {why}
          {!hasEnded && (
            <button
              type="button"
              class="link-button"
              aria-label={words.actOn(words.again, name)}
              {...writes}
              onClick={() => void give(role, end)}
            >
              {words.again}
            </button>
          )}
        </span>
      )}
      <Refusal text={problem.value} />
      {isDating.value && (
        <form
          class="name-form"
          onSubmit={event => {
            event.preventDefault()
            void give(role, endOfDay(typedInto(event.currentTarget).end ?? ''))
          }}
        >
          <input
            name="end"
            type="date"
            aria-label={words.actOn(words.lastDay, name)}
            defaultValue={hasEnded ? '' : lastDay}
            {...daysToCome()}
          />
          <button type="submit" class="button button-strong" {...writes}>
            {t.save}
          </button>
        </form>
      )}
      {isDating.value && <p class="quiet">{words.noEnd}</p>}
    </li>
  )
}

interface NewShareProps {
  readonly known: readonly string[]
  readonly groups: readonly Group[]
  /** Needs none; empty: not known. */
  readonly owner: string
  readonly isFirst: boolean
  readonly onGive: Give
}

/** Gives a role to somebody else. */
function NewShare({ known, groups, owner, isFirst, onGive }: NewShareProps): JSX.Element {
  const whom = useSignal('person')
  const problem = useSignal('')
  const writes = useWrites()
  const isPerson = whom.value === 'person'
  const give = async (form: HTMLFormElement): Promise<void> => {
    const { name = '', role = '', end = '' } = typedInto(form)
    const principal = isPerson ? name : whom.peek()
    const isOwner = owner !== '' && principal.toLowerCase() === owner.toLowerCase()
    problem.value = isOwner ? words.isOwner : await onGive(principal, role as ShareRole, endOfDay(end))
    if (problem.peek() !== '') return
    form.reset()
    whom.value = 'person'
  }
  return (
    <section aria-label={words.give}>
      <form
        class="form"
        onSubmit={event => {
          event.preventDefault()
          void give(event.currentTarget)
        }}
      >
        <h3>{words.give}</h3>
        <label class="form-field">
          <span>{words.whom}</span>
          <select
            value={whom.value}
            onChange={({ currentTarget }) => {
              whom.value = currentTarget.value
            }}
          >
            <option value="person">{words.person}</option>
            {groups.map(group => (
              <option key={group.group_id} value={principalOf(group)}>
                {words.group(group.name)}
              </option>
            ))}
            {ALL.map(all => (
              <option key={all} value={all}>
                {words.all[all]}
              </option>
            ))}
          </select>
        </label>
        {isPerson && (
          <FormField
            name="name"
            label={words.name}
            autocomplete="off"
            maxLength={NAME_CHARACTERS_MAX}
            known={known}
            isRequired
            isFirst={isFirst}
          />
        )}
        <label class="form-field">
          <span>{words.role}</span>
          <select name="role">
            {rolesFor(whom.value).map(role => (
              <option key={role} value={role}>
                {`${words.roles[role]}: ${words.does[role]}`}
              </option>
            ))}
          </select>
        </label>
        <FormField
          name="end"
          type="date"
          label={words.lastDay}
          hint={words.noEnd}
          autocomplete="off"
          {...daysToCome()}
        />
        <Refusal text={problem.value} />
        <div class="buttons">
          <button type="submit" class="button button-strong" {...writes}>
            {words.share}
          </button>
        </div>
      </form>
    </section>
  )
}

function daysToCome(): { readonly min: string; readonly max: string } {
  return { min: dayOf(Date.now()), max: DAY_MAX }
}

function Refusal({ text }: { readonly text: string }): JSX.Element | null {
  if (text === '') return null
  return (
    <p class="note" role="alert">
      {text}
    </p>
  )
}

/** @param principal - a group, all, or as somebody was called */
function calledBy(principal: string, groups: readonly Group[]): string {
  const group = groups.find(it => principalOf(it) === principal)
  if (group !== undefined) return words.group(group.name)
  return ALL.some(all => all === principal) ? nameOf({ principal, user: null, group: null }) : principal
}
