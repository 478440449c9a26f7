import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Dialog } from '../parts/dialog.js'
import { Icon } from '../parts/icons.js'
import { useLoaded } from '../parts/loaded.js'
import { useWrites } from '../parts/lost-bar.js'
import { NameForm } from '../parts/name-form.js'
import { Problem } from '../parts/problem.js'
import { useTold } from '../parts/told.js'
import { useApp } from '../state/app.js'
import type { Group } from '../state/shares.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-groups.js'

/** The groups of people that somebody is in, and what he may change of them. */
export function Groups(): JSX.Element {
  const { api, session } = useApp()
  const loaded = useLoaded('groups', signal => api.get('/v1/groups', { signal }))
  const isAsking = useSignal(false)
  const shown = useSignal<string | undefined>(undefined)
  const told = useTold()
  const writes = useWrites()
  const create = async (name: string): Promise<void> => {
    isAsking.value = false
    await told(async () => {
      await api.post('/v1/groups', { name })
      return words.created(name)
    })
    loaded.load()
  }
  const groups = (loaded.value.value?.groups ?? []).filter(({ role }) => role !== 'none')
  const open = groups.find(({ group_id: id }) => id === shown.value)
  return (
    <section aria-label={words.groups}>
      <h2>{words.groups}</h2>
      <p class="quiet">{words.hint}</p>
      {loaded.error.value !== undefined && <Problem error={loaded.error.value} onAgain={loaded.load} />}
      {loaded.value.value !== undefined && groups.length === 0 && <p class="quiet">{words.none}</p>}
      <ul class="account-rows">
        {groups.map(({ group_id: id, name, count, role }) => (
          <li key={id}>
            <span class="account-name">
              <strong>{name}</strong>
              <span class="quiet">{[words.people(count), words.roles[role]].join(' · ')}</span>
            </span>
            <button
              type="button"
              class="button"
              aria-label={words.of(words.show, name)}
              onClick={() => {
                shown.value = id
              }}
            >
              {words.show}
            </button>
          </li>
        ))}
      </ul>
      {session.can.value.has('share') && (
        <div class="buttons">
          <button
            type="button"
            class="button"
            {...writes}
            onClick={() => {
              isAsking.value = true
            }}
          >
            {words.create}
          </button>
        </div>
      )}
      {isAsking.value && (
        <Dialog
          title={words.create}
          onClose={() => {
            isAsking.value = false
          }}
        >
          <NameForm label={words.name} action={words.create} known={[]} onName={name => void create(name)} />
        </Dialog>
      )}
      {open !== undefined && (
        <GroupDialog
          group={open}
          onChange={loaded.load}
          onClose={() => {
            shown.value = undefined
          }}
        />
      )}
    </section>
  )
}

interface GroupDialogProps {
  readonly group: Group
  readonly onChange: () => void
  readonly onClose: () => void
}

/** Who is in a group. */
function GroupDialog({ group, onChange, onClose }: GroupDialogProps): JSX.Element {
  const { group_id: id, name, role, can } = group
  const { api, session } = useApp()
  const loaded = useLoaded(`group ${id}`, signal => api.get('/v1/groups/{id}', { params: { id }, signal }))
  const asks = useSignal<'rename' | 'delete' | undefined>(undefined)
  const told = useTold()
  const writes = useWrites()
  const me = session.user.value?.user_id
  const mayEdit = can.includes('edit')
  const change = async (make: () => Promise<unknown>, text: string): Promise<boolean> => {
    const isMade = await told(async () => {
      await make()
      return text
    })
    asks.value = undefined
    loaded.load()
    onChange()
    return isMade
  }
  const put = (user: string, next: 'member' | 'manager', text: string): Promise<boolean> =>
    change(() => api.put('/v1/groups/{id}/members/{user}', { role: next }, { params: { id, user } }), text)
  const take = (user: string, text: string): Promise<boolean> =>
    change(() => api.delete('/v1/groups/{id}/members/{user}', { params: { id, user } }), text)
  const end = async (making: Promise<boolean>): Promise<void> => {
    if (await making) onClose()
  }
  const members = loaded.value.value?.members ?? []
  return (
    <Dialog title={name} onClose={onClose}>
      {loaded.error.value !== undefined && <Problem error={loaded.error.value} onAgain={loaded.load} />}
      <ul class="account-rows">
        {members.map(member => {
          const called = member.name ?? words.unknown
          const isChanged = mayEdit && member.role !== 'owner'
          return (
            <li key={member.user_id}>
              <span class="account-name">
                <strong>{called}</strong>
                {!isChanged && <span class="quiet">{words.roles[member.role]}</span>}
              </span>
              {isChanged && (
                <span class="buttons">
                  <select
                    aria-label={words.roleOf(called)}
                    value={member.role}
                    disabled={writes.disabled}
                    title={writes.title}
                    onChange={({ currentTarget: { value } }) =>
                      void put(member.user_id, value === 'manager' ? 'manager' : 'member', words.changed(called))
                    }
                  >
                    <option value="member">{words.roles.member}</option>
                    <option value="manager">{words.roles.manager}</option>
                  </select>
                  {member.user_id !== me && (
                    <button
                      type="button"
                      class="icon-button"
                      aria-label={words.of(words.take, called)}
                      disabled={writes.disabled}
                      title={writes.title ?? words.take}
                      onClick={() => void take(member.user_id, words.taken(called))}
                    >
                      <Icon name="close" />
                    </button>
                  )}
                </span>
              )}
            </li>
          )
        })}
      </ul>
      {mayEdit && (
        <NameForm
          key={members.length}
          label={words.whom}
          action={words.add}
          known={[]}
          onName={user => void put(user, 'member', words.added(user))}
        />
      )}
      {asks.value === 'rename' && (
        <NameForm
          label={words.name}
          action={t.save}
          known={[]}
          value={name}
          onName={next =>
            void change(() => api.patch('/v1/groups/{id}', { name: next }, { params: { id } }), words.renamed(next))
          }
        />
      )}
      {asks.value === 'delete' && (
        <>
          <p>{words.deleteSure(name)}</p>
          <div class="buttons">
            <button
              type="button"
              class="button"
              onClick={() => {
                asks.value = undefined
              }}
            >
              {words.cancel}
            </button>
            <button
              type="button"
              class="button button-danger"
              {...writes}
              onClick={() =>
                void end(change(() => api.delete('/v1/groups/{id}', { params: { id } }), words.deleted(name)))
              }
            >
              {words.delete}
            </button>
          </div>
        </>
      )}
      {asks.value === undefined && session.can.value.has('share') && (
        <div class="buttons">
          {mayEdit && (
            <button
              type="button"
              class="button"
              {...writes}
              onClick={() => {
                asks.value = 'rename'
              }}
            >
              {words.rename}
            </button>
          )}
          {role === 'owner' ? (
            <button
              type="button"
              class="button button-danger"
              {...writes}
              onClick={() => {
                asks.value = 'delete'
              }}
            >
              {words.delete}
            </button>
          ) : (
            me !== undefined && (
              <button type="button" class="button" {...writes} onClick={() => void end(take(me, words.left(name)))}>
                {words.leave}
              </button>
            )
          )}
        </div>
      )}
    </Dialog>
  )
}
