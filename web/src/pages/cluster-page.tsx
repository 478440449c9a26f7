import type { JSX } from 'preact'
import type { Cluster, Member, Status } from '../api/client.js'
import { Icon } from '../parts/icons.js'
import { useLoaded } from '../parts/loaded.js'
import { Problem } from '../parts/problem.js'
import { ScrollPage } from '../parts/scroll-page.js'
import { useApp } from '../state/app.js'
import { t } from '../texts/en.js'
import { safetyOf } from './safety.js'

const EVERY_MS = 3_000
const words = t.clusterPage

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
          {now.members.map(member => (
            <MemberCard key={member.id} member={member} />
          ))}
        </ul>
      </section>
      {status.value.value !== undefined && <Here status={status.value.value} />}
      {now.laid_out.length > 0 && <LaidOut cluster={now} />}
      <Happenings members={now.members} />
      <p class="foot">
        <a href="/docs">{words.programs}</a>
      </p>
    </ScrollPage>
  )
}

function MemberCard({ member }: { readonly member: Member }): JSX.Element {
  const { name, id, self, state, last_seen, lag_bytes, disk, version, clock_skew_ms, purged_to } = member
  const used = disk === null || disk.total_bytes === 0 ? 0 : 1 - disk.free_bytes / disk.total_bytes
  return (
    <li class="member">
      <header>
        <span class={`dot is-${state}`} aria-hidden="true" />
        <h3 title={id}>{name || id}</h3>
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
        <dd>{lag_bytes === null ? words.unknown : lag_bytes === 0 ? words.nothingToCome : t.size(lag_bytes)}</dd>
        {disk !== null && (
          <>
            <dt>{words.disk}</dt>
            <dd>
              {words.diskOf(disk.free_bytes, disk.total_bytes)}
              <meter min={0} max={1} low={0.8} high={0.95} optimum={0} value={used} aria-label={words.disk} />
            </dd>
          </>
        )}
        <dt>{words.version}</dt>
        <dd>{version ?? words.unknown}</dd>
        <dt>{words.purgedTo}</dt>
        <dd>{purged_to === null ? words.unknown : t.moment(purged_to)}</dd>
      </dl>
      {clock_skew_ms !== null && Math.abs(clock_skew_ms) > 5_000 && <p class="note">{words.skew(clock_skew_ms)}</p>}
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
        {model !== undefined && (
          <>
            <dt>{words.model}</dt>
            <dd>{model ?? words.noModel}</dd>
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
        {tools !== undefined && tools.length > 0 && (
          <>
            <dt>{words.tools}</dt>
            <dd>{tools.join(', ')}</dd>
          </>
        )}
      </dl>
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
  const { live } = useApp()
  const events = live.events.value
  return (
    <section aria-label={words.events}>
      <h2>{words.events}</h2>
      {events.length === 0 && <p class="quiet">{words.noEvents}</p>}
      <ul class="events">
        {events.map(({ name, at, nodeId, photoId }) => (
          <li key={`${at} ${name} ${photoId ?? nodeId}`}>
            <time dateTime={at}>{t.moment(at)}</time>
            <span>{words.event[name] ?? name}</span>
            <span class="quiet">{nodeId === undefined ? '' : nameOf(members, nodeId)}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function nameOf(members: readonly Member[], id: string | null): string {
  if (id === null) return words.unknownNode
  return members.find(member => member.id === id)?.name ?? id
}
