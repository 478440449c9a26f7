import { expect, test } from 'vitest'
import { exposition } from '../../../src/core/exposition.js'
import { silentLog } from '../../../src/core/log.js'
import { MetricsRegistry } from '../../../src/core/metrics.js'

test('the text that Prometheus reads, byte for byte', async () => {
  const metrics = new MetricsRegistry({ log: silentLog })
  metrics.counter('sheaf_http_problems_total', { code: 'ERR_NOT_FOUND' }).add(2)
  const sync = metrics.histogram('sheaf_sync_duration_seconds')
  for (const value of [0.0001, 0.002, 3]) sync.observe(value)
  metrics.read('sheaf_member_up', () => [{ labels: { peer: 'p', name: 'a "b"\\c\nd' }, value: 1 }])
  metrics.read('sheaf_repair_eta_seconds', () => Number.POSITIVE_INFINITY)
  expect(
    exposition(await metrics.collect())
  ).toBe(`# HELP sheaf_http_problems_total Requests refused or failed, by the code of the problem
# TYPE sheaf_http_problems_total counter
sheaf_http_problems_total{code="ERR_NOT_FOUND"} 2
# HELP sheaf_repair_eta_seconds How long the rest takes at this rate; absent while nothing comes
# TYPE sheaf_repair_eta_seconds gauge
sheaf_repair_eta_seconds +Inf
# HELP sheaf_member_up 1: the other member is present; 0: it is suspect or down. Those that left are not listed
# TYPE sheaf_member_up gauge
sheaf_member_up{peer="p",name="a \\"b\\"\\\\c\\nd"} 1
# HELP sheaf_sync_duration_seconds How long the disk took to make written bytes durable (fdatasync)
# TYPE sheaf_sync_duration_seconds histogram
sheaf_sync_duration_seconds_bucket{le="0.0001"} 1
sheaf_sync_duration_seconds_bucket{le="0.00025"} 1
sheaf_sync_duration_seconds_bucket{le="0.0005"} 1
sheaf_sync_duration_seconds_bucket{le="0.001"} 1
sheaf_sync_duration_seconds_bucket{le="0.0025"} 2
sheaf_sync_duration_seconds_bucket{le="0.005"} 2
sheaf_sync_duration_seconds_bucket{le="0.01"} 2
sheaf_sync_duration_seconds_bucket{le="0.025"} 2
sheaf_sync_duration_seconds_bucket{le="0.05"} 2
sheaf_sync_duration_seconds_bucket{le="0.1"} 2
sheaf_sync_duration_seconds_bucket{le="0.5"} 2
sheaf_sync_duration_seconds_bucket{le="2"} 2
sheaf_sync_duration_seconds_bucket{le="+Inf"} 3
sheaf_sync_duration_seconds_sum 3.0021
sheaf_sync_duration_seconds_count 3
# HELP sheaf_scrape_faults_total Metrics left out of an answer because reading them failed
# TYPE sheaf_scrape_faults_total counter
sheaf_scrape_faults_total 0
`)
})
