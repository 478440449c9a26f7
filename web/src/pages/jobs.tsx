import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { ApiError, type Job } from '../api/client.js'
import { useLoaded } from '../parts/loaded.js'
import { useWrites } from '../parts/lost-bar.js'
import { useApp } from '../state/app.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-cluster.js'
import { wordsFor } from '../texts/problems.js'

const SHOWN = 5
/** Long work of the node: how far it is, how it ended; and the check that anybody may start. */
export function Jobs(): JSX.Element {
  const app = useApp()
  const { live, session, toasts } = app
  const loaded = useLoaded('jobs', signal => app.api.get('/v1/admin/jobs', { signal }), { follows: true })
  const writes = useWrites()
  const mayVerify = session.can.value.has('maintain')
  useEffect(() => live.onProgress('job', loaded.load), [])
  const verify = async (): Promise<void> => {
    try {
      const { kind } = await app.api.post('/v1/admin/verify', undefined, { query: { all_peers: 'true' } })
      toasts.say(words.jobStarted(words.job[kind] ?? kind))
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      toasts.say(wordsFor(error.code, error.detail))
    }
    loaded.load()
  }
  const { jobs } = loaded.value.value ?? {}
  return (
    <section aria-label={words.jobs}>
      <div class="section-head">
        <h2>{words.jobs}</h2>
        {mayVerify && (
          <button type="button" class="button" {...writes} onClick={() => void verify()}>
            {words.verify}
          </button>
        )}
      </div>
      {mayVerify && <p class="quiet">{words.verifyHint}</p>}
      {jobs?.length === 0 && <p class="quiet">{words.noJobs}</p>}
      <ul class="jobs">
        {jobs?.slice(0, SHOWN).map(job => (
          <JobRow key={job.job_id} job={job} />
        ))}
      </ul>
    </section>
  )
}

function JobRow({ job }: { readonly job: Job }): JSX.Element {
  const { kind, state, progress, created_at, error, job_id } = job
  const name = words.job[kind] ?? kind
  const isRunning = state === 'running' || state === 'queued'
  return (
    <li class="job">
      <span class="job-name">{name}</span>
      <span class={state === 'failed' ? 'job-state is-failed' : 'job-state'}>
        {words.jobState[state]}
        {state === 'done' && <Outcome id={job_id} />}
      </span>
      <time class="quiet" dateTime={created_at}>
        {t.moment(created_at)}
      </time>
      {isRunning && progress !== null && (
        <div class="job-progress">
          <progress
            max={progress.total ?? undefined}
            value={progress.total === null ? undefined : progress.done}
            aria-label={name}
          />
          <span class="quiet">{words.jobProgress(progress.done, progress.total, progress.unit)}</span>
        </div>
      )}
      {error !== null && <p class="note">{wordsFor(error.code, error.message)}</p>}
    </li>
  )
}

/** What a check has found, if it was one. */
function Outcome({ id }: { readonly id: string }): JSX.Element | null {
  const { api } = useApp()
  const job = useLoaded(id, signal => api.get('/v1/admin/jobs/{id}', { params: { id }, signal }))
  const { faults } = Object(job.value.value?.result) as { readonly faults?: unknown }
  return Array.isArray(faults) ? <>: {words.faults(faults.length)}</> : null
}
