-- The beginning of every step. Redis runs a step as a whole: nobody sees half of one.
--
-- KEYS: the job's record, its events stream, the pointer to the active job, then the step's own
-- keys, and last the durations. ARGV[1]: one JSON object. Each step has these fields of it, and
-- those that the step's own file names:
--   now       the time to write into the record, ISO 8601
--   call      a random id of this call; see `steps.py`
--   bounds    the upper bounds of the durations' buckets, in seconds, as they are written in Redis
--   job_prefix, events_prefix      of the keys
--
-- Somebody may have written something else under these keys. A record of another type, or without
-- its counters, is that of no job; the pointer to it gives way. Events, durations and the list of
-- jobs are bookkeeping: the step does them last, and they cannot stop it.

local record, events, active = KEYS[1], KEYS[2], KEYS[3]
local durations = KEYS[#KEYS]
local argument = cjson.decode(ARGV[1])

local function is_of_another_type(answer)
  return type(answer) == 'table' and answer.err and string.find(answer.err, 'WRONGTYPE', 1, true)
end

-- Reads, and takes a key of another type for one that is not there.
local function read(...)
  local answer = redis.pcall(...)
  if is_of_another_type(answer) then return false end
  if type(answer) == 'table' and answer.err then error(answer.err) end
  return answer
end

-- Writes bookkeeping into a key, anew if it is of another type; false if Redis refuses.
local function note(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if is_of_another_type(answer) then
    redis.call('DEL', key)
    answer = redis.pcall(command, key, ...)
  end
  return not (type(answer) == 'table' and answer.err)
end

local function field(name) return read('HGET', record, name) end
local function set(...) redis.call('HSET', record, ...) end

local function announce()
  note('XADD', events, 'MAXLEN', '~', 1000, '*', unpack(redis.call('HGETALL', record)))
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
  local function add(command, name, amount)
    -- What is there and is not a number is counted from nothing.
    if not note(command, durations, name, amount) then note('HSET', durations, name, amount) end
  end
  add('HINCRBY', outcome .. ':' .. bucket, 1)
  add('HINCRBYFLOAT', outcome .. ':sum', string.format('%.3f', seconds))
end

local function id() return string.sub(record, #argument.job_prefix + 1) end

-- Ends the job and frees the run lock. `outcome` is what the duration is counted under.
local function close(status, error, outcome)
  set('status', status, 'finished_at', argument.now, 'error', error)
  if read('GET', active) == id() then redis.call('DEL', active) end
  announce()
  count_duration(outcome or status)
end

-- Gives the job back to the queue.
local function requeue()
  set('status', 'queued', 'worker', '')
  announce()
end

-- Whether a job is queued or running, and its record has the counters that its steps need.
local function is_active(job)
  local function its(name) return read('HGET', argument.job_prefix .. job, name) end
  local status = its('status')
  if status ~= 'queued' and status ~= 'running' then return false end
  for _, name in ipairs({'attempts', 'deaths', 'heartbeat'}) do
    if not string.match(its(name) or '', '^%d+$') then return false end
  end
  return true
end

-- Takes the run lock for this job; false if another job has it.
local function lock()
  local holder = read('GET', active)
  if holder == id() then return true end
  if holder and is_active(holder) then return false end
  redis.call('SET', active, id())
  return true
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

