import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import type { Cluster, Member, Status } from '../api/client.js'
import { Icon } from '../parts/icons.js'
import { useLoaded } from '../parts/loaded.js'
import { useWrites } from '../parts/lost-bar.js'
import { Problem } from '../parts/problem.js'
import { ScrollPage } from '../parts/scroll-page.js'
import { formatRoute } from '../router.js'
import { useApp } from '../state/app.js'
import { samePlaceAt } from '../state/session.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-cluster.js'
import { happeningsOf } from './happenings.js'
import { Jobs } from './jobs.js'
import { RemoveMember } from './remove-member.js'
import { safetyOf } from './safety.js'
import '../styles/facts.css'
import './cluster-page.css'

const EVERY_MS = 3_000
/** So many are read, and told in so many lines at most. */
const EVENTS_READ = 500
const EVENTS_SHOWN = 15
/** Whether all is safe, at a glance; below it, why. */
export function ClusterPage(): JSX.Element {
  const app = useApp()
  const options = { follows: true, everyMs: EVERY_MS }
  const cluster = useLoaded('cluster', signal => app.api.get('/cluster', { signal }), options)
  const status = useLoaded('status', signal => app.api.get('/status', { signal }), options)
  const now = cluster.value.value
  if (now === undefined)
    return (
      <ScrollPage>
        <h1>{t.cluster}</h1>
        {cluster.error.value !== undefined && <Problem error={cluster.error.value} onAgain={cluster.load} />}
      </ScrollPage>
    )
  const safety = safetyOf(now, status.value.value)
  return (
    <ScrollPage>
      <h1>{t.cluster}</h1>
      <section class={`safety is-${safety.level}`} aria-label={safety.title}>
        <Icon name={safety.level === 'safe' ? 'check' : safety.level === 'copying' ? 'upload' : 'info'} />
        <div>
          <h2>{safety.title}</h2>
          {safety.reasons.map(reason => (
            <p key={reason}>{reason}</p>
          ))}
        </div>
      </section>
      <section aria-label={words.members}>
        <h2>{words.members}</h2>
        <ul class="members">
          {inOrder(now.members).map(member => (
            <MemberCard
              key={member.id}
              member={member}
              digest={now.members.find(({ self }) => self)?.directory_digest ?? null}
              onRemoved={cluster.load}
            />
          ))}
        </ul>
        {now.members.length > 1 && !app.session.can.value.has('operate') && (
          <p class="quiet hint">{words.operatorOnly}</p>
        )}
      </section>
      <section aria-label={words.breaks}>
        <h2>{words.breaks}</h2>
        <ul class="hints">
          {words.breaksHints.map(hint => (
            <li key={hint}>{hint}</li>
          ))}
        </ul>
      </section>
      {status.value.value !== undefined && <Here status={status.value.value} />}
      {now.laid_out.length > 0 && <LaidOut cluster={now} />}
      <Jobs />
      <Happenings members={now.members} />
      <p class="foot">
        <a href="/docs">{words.programs}</a>
      </p>
    </ScrollPage>
  )
}

interface MemberCardProps {
  readonly member: Member
  /** Of this node's directory. */
  readonly digest: string | null
  readonly onRemoved: () => void
}

function MemberCard({ member, digest, onRemoved }: MemberCardProps): JSX.Element {
  const { session } = useApp()
  const isAsking = useSignal(false)
  const writes = useWrites()
  const { name, id, self, state, last_seen, lag_bytes, disk, version, clock_skew_ms, purged_to } = member
  const { http, started_at, photos, directory_digest, bytes_per_s, eta_s } = member
  const used = disk === null || disk.total_bytes === 0 ? 0 : 1 - disk.free_bytes / disk.total_bytes
  const isSame = self || digest === null || directory_digest === null ? undefined : digest === directory_digest
  const called = name || id
  const isThere = state !== 'down' && state !== 'left'
  const link = self || http.length === 0 ? undefined : samePlaceAt({ id, name, http }, location)
  return (
    <li class="member">
      <header>
        <span class={`dot is-${state}`} aria-hidden="true" />
        <h3 title={id}>
          {link === undefined ? (
            called
          ) : (
            <a href={link} aria-label={words.open(called)}>
              {called}
            </a>
          )}
        </h3>
        <span class="quiet">{self ? words.thisOne : words.state[state]}</span>
      </header>
      <dl class="facts">
        {!self && (
          <>
            <dt>{words.lastSeen}</dt>
            <dd>{last_seen === null ? words.never : t.ago(Math.max(0, Date.now() - Date.parse(last_seen)))}</dd>
          </>
        )}
        <dt>{words.lag}</dt>
        <dd>
          {lag_bytes === null
            ? words.unknown
            : lag_bytes === 0
              ? words.nothingToCome
              : words.lagOf(lag_bytes, bytes_per_s, eta_s)}
        </dd>
        {photos !== null && (
          <>
            <dt>{words.photosHere}</dt>
            <dd>{words.photosOf(photos, isSame)}</dd>
          </>
        )}
        {disk !== null && (
          <>
            <dt>{words.disk}</dt>
            <dd>
              {words.diskOf(disk.free_bytes, disk.total_bytes)}
              <meter min={0} max={1} low={0.8} high={0.95} optimum={0} value={used} aria-label={words.disk} />
            </dd>
          </>
        )}
      </dl>
      <details>
        <summary>{words.technical}</summary>
        <dl class="facts">
          {started_at !== null && isThere && (
            <>
              <dt>{words.since}</dt>
              <dd>{t.moment(started_at)}</dd>
            </>
          )}
          <dt>{words.version}</dt>
          <dd>{version ?? words.unknown}</dd>
          <dt>{words.purgedTo}</dt>
          <dd>{purged_to === null ? words.unknown : t.moment(purged_to)}</dd>
        </dl>
      </details>
      {clock_skew_ms !== null && Math.abs(clock_skew_ms) > 5_000 && <p class="note">{words.skew(clock_skew_ms)}</p>}
      {state === 'down' && session.can.value.has('operate') && (
        <button
          type="button"
          class="button button-danger member-remove"
          {...writes}
          aria-label={words.removeTitle(called)}
          onClick={() => {
            isAsking.value = true
          }}
        >
          {words.remove}
        </button>
      )}
      {isAsking.value && (
        <RemoveMember
          id={id}
          name={called}
          onRemoved={onRemoved}
          onClose={() => {
            isAsking.value = false
          }}
        />
      )}
    </li>
  )
}

function Here({ status }: { readonly status: Status }): JSX.Element {
  const { photos, bytes, model, index, tools, repair } = status
  return (
    <section aria-label={words.library}>
      <h2>{words.library}</h2>
      <dl class="facts wide">
        <dt>{words.photosHere}</dt>
        <dd>{t.number(photos)}</dd>
        <dt>{words.bytesHere}</dt>
        <dd>{t.size(bytes)}</dd>
        {repair !== undefined && repair.backlog_bytes > 0 && (
          <>
            <dt>{words.toCome}</dt>
            <dd>{words.toComeOf(repair.backlog_bytes, repair.bytes_per_s, repair.eta_s)}</dd>
          </>
        )}
        {index !== undefined && (
          <>
            <dt>{words.searchable}</dt>
            <dd>
              {t.photos(index.vectors)}
              {index.pending > 0 && <span class="quiet">{words.pendingLooks(index.pending)}</span>}
            </dd>
          </>
        )}
      </dl>
      {model !== undefined && (
        <details>
          <summary>{words.technical}</summary>
          <dl class="facts wide">
            <dt>{words.model}</dt>
            <dd>{model ?? words.noModel}</dd>
            {tools !== undefined && tools.length > 0 && (
              <>
                <dt>{words.tools}</dt>
                <dd>{tools.map(tool => words.tool[tool] ?? tool).join(', ')}</dd>
              </>
            )}
          </dl>
        </details>
      )}
    </section>
  )
}

function LaidOut({ cluster }: { readonly cluster: Cluster }): JSX.Element {
  const { laid_out, members } = cluster
  const sum = laid_out.reduce((all, { count }) => all + count, 0)
  return (
    <section aria-label={words.laidOut(sum)}>
      <p>{words.laidOut(sum)}</p>
      <ul>
        {laid_out.map(({ from, count }) => (
          <li key={from}>{words.laidOutFrom(nameOf(members, from), count)}</li>
        ))}
      </ul>
    </section>
  )
}

function Happenings({ members }: { readonly members: readonly Member[] }): JSX.Element {
  const app = useApp()
  const recent = useLoaded(
    'recent',
    signal => app.api.get('/events/recent', { query: { limit: EVENTS_READ }, signal }),
    { follows: true }
  )
  const { events } = recent.value.value ?? {}
  return (
    <section aria-label={words.events}>
      <h2>{words.events}</h2>
      {events?.length === 0 && <p class="quiet">{words.noEvents}</p>}
      <ul class="events">
        {happeningsOf(events ?? [], EVENTS_SHOWN).map(({ id, type, at, count, nodeId, photoId }) => (
          <li key={id}>
            <time dateTime={at}>{t.moment(at)}</time>
            <span>
              {photoId === undefined ? (
                words.event[type](count)
              ) : (
                <a href={formatRoute(type === 'photo.deleted' ? { page: 'trash' } : { page: 'photo', id: photoId })}>
                  {words.event[type](count)}
                </a>
              )}
            </span>
            <span class="quiet">{nodeId === undefined ? '' : nameOf(members, nodeId)}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

/** This one first. */
function inOrder(members: readonly Member[]): readonly Member[] {
  return [...members].sort((a, b) => Number(b.self) - Number(a.self) || a.name.localeCompare(b.name))
}

function nameOf(members: readonly Member[], id: string | null): string {
  if (id === null) return words.unknownNode
  return members.find(member => member.id === id)?.name ?? id
}
