"""The steps of a job's life that must be one step in Redis, as Lua.

A job's record is a hash of strings; "" stands for null. Beside the public fields of `Job` it holds
`force` (0 or 1: the job is `forced`) and `cancel_requested`, `deaths`, `heartbeat` (a counter),
`model_version` (the name chosen for what it will publish), `started_seconds` (`started_at` by the
clock of Redis), `traceparent` (the span of the request that asked for it, in W3C's words) and
`last_call` (see below).

Every script gets KEYS: the record, its events stream, the active-job pointer, then its own, and
last the durations.

The client repeats a call whose answer was lost with the connection, and Redis may have heeded the
first one. A claim or a cancel that is repeated is therefore known by a random `call` that comes
with it, of which the record keeps the last, and is answered as it was.
"""

from shared.jobs.durations import COUNT_DURATION

LOST, HELD, CANCEL_ASKED, FORCE_ASKED = 0, 1, 2, 3
"""What a script answers a worker that reports on its run."""

_PRELUDE = f"""
local record, events, active = KEYS[1], KEYS[2], KEYS[3]
local durations = KEYS[#KEYS]

local function field(name) return redis.call('HGET', record, name) end
local function set(...) redis.call('HSET', record, ...) end

local function announce()
  redis.call('XADD', events, 'MAXLEN', '~', 1000, '*', unpack(redis.call('HGETALL', record)))
end

{COUNT_DURATION}
local function close(status, now, error, outcome)
  count_duration(outcome or status)
  set('status', status, 'finished_at', now, 'error', error)
  if redis.call('GET', active) == field('job_id') then redis.call('DEL', active) end
  announce()
end

-- Every write of a run is fenced by its attempt number: a worker that was taken for dead, or whose
-- record is gone, learns that it has lost the run and can change nothing any more.
local function holds(attempt)
  if field('status') ~= 'running' or field('attempts') ~= attempt then return false end
  redis.call('SET', active, field('job_id'), 'NX')
  return redis.call('GET', active) == field('job_id')
end

local function held() return field('cancel_requested') == '1' and 2 or 1 end
"""

# KEYS: + the list of jobs. ARGV: job id, now, force, how many jobs to keep, both key prefixes, who
# asks for it, request id, traceparent.
CREATE = (
    _PRELUDE
    + """
local jobs = KEYS[4]
local id, now, force, keep, job_prefix, events_prefix = unpack(ARGV)
local requested_by, request_id, traceparent = ARGV[7], ARGV[8], ARGV[9]
local current = redis.call('GET', active)
if current then
  local status = redis.call('HGET', job_prefix .. current, 'status')
  if status == 'queued' or status == 'running' then
    if force == '1' then redis.call('HSET', job_prefix .. current, 'force', '1') end
    return current
  end
end
set('job_id', id, 'status', 'queued', 'stage', '', 'progress', '0',
  'created_at', now, 'started_at', '', 'finished_at', '', 'attempts', '0', 'result', '',
  'error', '', 'force', force, 'cancel_requested', '0', 'deaths', '0', 'heartbeat', '0',
  'worker', '', 'model_version', '', 'last_call', '', 'requested_by', requested_by,
  'request_id', request_id, 'traceparent', traceparent)
redis.call('SET', active, id)
redis.call('LPUSH', jobs, id)
for _, old in ipairs(redis.call('LRANGE', jobs, keep, -1)) do
  redis.call('DEL', job_prefix .. old, events_prefix .. old)
end
redis.call('LTRIM', jobs, 0, keep - 1)
announce()
return id
"""
)

# ARGV: worker, now, call. Answers the attempt number, 0 if there is nothing to take up.
CLAIM = (
    _PRELUDE
    + """
if field('status') == 'running' and field('last_call') == ARGV[3] then
  return tonumber(field('attempts'))
end
if field('status') ~= 'queued' then return 0 end
redis.call('SET', active, field('job_id'), 'NX')
if redis.call('GET', active) ~= field('job_id') then return 0 end
if field('started_at') == '' then set('started_at', ARGV[2], 'started_seconds', clock()) end
set('status', 'running', 'worker', ARGV[1], 'stage', '', 'progress', '0', 'last_call', ARGV[3])
local attempt = redis.call('HINCRBY', record, 'attempts', 1)
announce()
return attempt
"""
)

# ARGV: attempt.
BEAT = (
    _PRELUDE
    + """
if not holds(ARGV[1]) then return 0 end
redis.call('HINCRBY', record, 'heartbeat', 1)
return held()
"""
)

# ARGV: attempt, stage, progress.
REPORT = (
    _PRELUDE
    + """
if not holds(ARGV[1]) then return 0 end
set('stage', ARGV[2], 'progress', ARGV[3])
announce()
return held()
"""
)

# ARGV: attempt, proposed name. Answers the name to use, or "" if the run is lost.
CHOOSE_VERSION = (
    _PRELUDE
    + """
if not holds(ARGV[1]) then return '' end
if field('model_version') == '' then set('model_version', ARGV[2]) end
return field('model_version')
"""
)

# KEYS: + the version key. ARGV: attempt, now, result, version to serve or "".
# The version key, the job's end and the free run lock are one step: no reader sees one without
# the others, and no worker that lost the run can set the key.
SUCCEED = (
    _PRELUDE
    + """
local attempt, now, result, version = unpack(ARGV)
-- The answer to an earlier call of this attempt was lost on its way: it is done.
if field('status') == 'succeeded' and field('attempts') == attempt then return 1 end
if not holds(attempt) then return 0 end
if field('cancel_requested') == '1' then return 2 end
-- Force was asked for after the gate had rejected the candidate: it still holds for this run.
if version == '' and field('force') == '1' then return 3 end
if version ~= '' then redis.call('SET', KEYS[4], version) end
set('result', result, 'progress', '1')
close('succeeded', now, '', version == '' and 'rejected' or 'promoted')
return 1
"""
)

# ARGV: attempt, now, status (failed or cancelled), error.
END = (
    _PRELUDE
    + """
if not holds(ARGV[1]) then return 0 end
close(ARGV[3], ARGV[2], ARGV[4])
return 1
"""
)

# ARGV: worker, now. A worker that is politely stopped hands its run back: no death is counted.
RELEASE = (
    _PRELUDE
    + """
if field('status') ~= 'running' or field('worker') ~= ARGV[1] then return 0 end
if field('cancel_requested') == '1' then
  close('cancelled', ARGV[2], '')
  return 0
end
set('status', 'queued', 'worker', '')
announce()
return 1
"""
)

# ARGV: now, call. Answers -1 for no such job, 0 if it has ended.
CANCEL = (
    _PRELUDE
    + """
local status = field('status')
if not status then return -1 end
if status == 'cancelled' and field('last_call') == ARGV[2] then return 1 end
if status == 'queued' then
  set('last_call', ARGV[2])
  close('cancelled', ARGV[1], '')
  return 1
end
if status ~= 'running' then return 0 end
set('cancel_requested', '1')
return 1
"""
)

# ARGV: attempt and heartbeat as the watcher saw them stand still, now, most deaths, error.
# Answers the job's new status, or "" if it was alive after all or another watcher was quicker.
BURY = (
    _PRELUDE
    + """
local attempt, heartbeat, now, most_deaths, error = unpack(ARGV)
if field('status') ~= 'running' or field('attempts') ~= attempt
  or field('heartbeat') ~= heartbeat then return '' end
local deaths = redis.call('HINCRBY', record, 'deaths', 1)
if field('cancel_requested') == '1' then
  close('cancelled', now, '')
elseif deaths >= tonumber(most_deaths) then
  close('failed', now, error)
else
  set('status', 'queued', 'worker', '')
  announce()
end
return field('status')
"""
)
