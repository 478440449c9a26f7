import { setTimeout as delay } from 'node:timers/promises'
import type { HttpClient } from '../support/http-client.js'

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

/** Starts long work on a node and waits for its end. @throws `JobFailed` unless it ends well within a minute */
export async function runJob<Result>(client: HttpClient, kind: string): Promise<Result> {
  let job = await client.json<JobAnswer<Result>>('POST', `/v1/admin/${kind}`, 202)
  const deadline = performance.now() + 60_000
  while (job.state === 'queued' || job.state === 'running') {
    if (performance.now() > deadline) throw new JobFailed(`${kind} did not end within a minute`)
    await delay(10)
    job = await client.json<JobAnswer<Result>>('GET', `/v1/admin/jobs/${job.job_id}`, 200)
  }
  if (job.state !== 'done' || job.result === undefined) throw new JobFailed(`${kind}: ${JSON.stringify(job)}`)
  return job.result
}
