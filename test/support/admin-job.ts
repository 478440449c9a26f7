import type { HttpClient } from './http-client.js'
import { until } from './until.js'

export interface JobAnswer<Result> {
  readonly job_id: string
  readonly state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
  readonly result?: Result
  readonly error?: { readonly code: string; readonly message: string }
}

/** What `verify` and `scrub` found; no faults: all is well. */
export interface VerifyReport {
  readonly needles: number
  readonly faults: readonly object[]
}

class JobFailed extends Error {
  override readonly name = 'JobFailed'
}

/** Starts long work on a node and waits for its end. @throws `JobFailed` unless it ends well; when it does not end within a minute */
export async function runJob<Result>(client: HttpClient, kind: string): Promise<Result> {
  let job = await client.json<JobAnswer<Result>>('POST', `/v1/admin/${kind}`, 202)
  const ended = async (): Promise<boolean> => {
    if (job.state !== 'queued' && job.state !== 'running') return true
    job = await client.json<JobAnswer<Result>>('GET', `/v1/admin/jobs/${job.job_id}`, 200)
    return false
  }
  await until(`${kind} has ended`, 60_000, ended, 10)
  if (job.state !== 'done' || job.result === undefined) throw new JobFailed(`${kind}: ${JSON.stringify(job)}`)
  return job.result
}
