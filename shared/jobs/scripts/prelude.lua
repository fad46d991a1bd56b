-- The beginning of every step. Redis runs a step as a whole: nobody sees half of one.
--
-- KEYS: the job's record, its events stream, the pointer to the active job, then the step's own
-- keys, and last the durations. ARGV[1]: one JSON object. Each step has these fields of it, and
-- those that the step's own file names:
--   now       the time to write into the record, ISO 8601
--   call      a random id of this call; see `steps.py`
--   bounds    the upper bounds of the durations' buckets, in seconds, as they are written in Redis

local record, events, active = KEYS[1], KEYS[2], KEYS[3]
local durations = KEYS[#KEYS]
local argument = cjson.decode(ARGV[1])

local function field(name) return redis.call('HGET', record, name) end
local function set(...) redis.call('HSET', record, ...) end

local function announce()
  redis.call('XADD', events, 'MAXLEN', '~', 1000, '*', unpack(redis.call('HGETALL', record)))
end

-- Redis has one clock; workers have one each.
local function clock()
  local time = redis.call('TIME')
  return time[1] + time[2] / 1000000
end

-- Counts how long a job took from its first start. A job that was cancelled before it started took
-- no time. The hash has the fields `<outcome>:<bound>`, each a number of jobs that is not in the
-- field of a smaller bound, and `<outcome>:sum` in seconds.
local function count_duration(outcome)
  local started = tonumber(field('started_seconds'))
  local seconds = started and math.max(0, clock() - started) or 0
  local bucket = '+Inf'
  for _, bound in ipairs(argument.bounds) do
    if seconds <= tonumber(bound) then
      bucket = bound
      break
    end
  end
  redis.call('HINCRBY', durations, outcome .. ':' .. bucket, 1)
  redis.call('HINCRBYFLOAT', durations, outcome .. ':sum', string.format('%.3f', seconds))
end

-- Ends the job and frees the run lock. `outcome` is what the duration is counted under.
local function close(status, error, outcome)
  count_duration(outcome or status)
  set('status', status, 'finished_at', argument.now, 'error', error)
  if redis.call('GET', active) == field('job_id') then redis.call('DEL', active) end
  announce()
end

-- Gives the job back to the queue.
local function requeue()
  set('status', 'queued', 'worker', '')
  announce()
end

-- Takes the run lock for this job; false if another job has it.
local function lock()
  redis.call('SET', active, field('job_id'), 'NX')
  return redis.call('GET', active) == field('job_id')
end

-- Whether the attempt that calls still holds the run. Every write of a run is fenced by its attempt
-- number: a worker that was taken for dead, or whose record is gone, learns that it has lost the
-- run and can change nothing any more.
local function holds()
  return field('status') == 'running'
    and tonumber(field('attempts')) == argument.attempt
    and lock()
end

-- What an attempt that holds the run is told.
local function held_or_asked() return field('cancel_requested') == '1' and 'cancel-asked' or 'held' end

