-- wrk … -s wrk-put.lua URL -- FILE TEMPLATE FIRST: puts the bytes of FILE to TEMPLATE with %d replaced by FIRST, FIRST + 1, …
local body
local template
local number

function init(args)
  local file = assert(io.open(args[1], 'rb'))
  body = file:read('*a')
  file:close()
  template = args[2]
  number = tonumber(args[3])
  wrk.headers['Content-Type'] = 'image/jpeg'
end

function request()
  number = number + 1
  return wrk.format('PUT', string.format(template, number), nil, body)
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"us":%d,"bytes":%d,"failed":%d,"p50Us":%d,"p99Us":%d}\n',
    summary.requests, summary.duration, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)
  ))
end
