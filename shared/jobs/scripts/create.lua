-- Makes a job, unless one is queued or running.
-- KEYS: + the list of jobs.
-- Argument: record (all fields of the new job), keep (how many jobs to keep), job_prefix and
-- events_prefix (of the keys).
-- Answers the id of the active job: of the new one, or of the one in flight.

local jobs = KEYS[4]
local new = argument.record
local current = redis.call('GET', active)
if current then
  local status = redis.call('HGET', argument.job_prefix .. current, 'status')
  if status == 'queued' or status == 'running' then
    if new.force == '1' then
      redis.call('HSET', argument.job_prefix .. current, 'force', '1')
    end
    return current
  end
end
for name, value in pairs(new) do set(name, value) end
redis.call('SET', active, new.job_id)
redis.call('LPUSH', jobs, new.job_id)
for _, old in ipairs(redis.call('LRANGE', jobs, argument.keep, -1)) do
  redis.call('DEL', argument.job_prefix .. old, argument.events_prefix .. old)
end
redis.call('LTRIM', jobs, 0, argument.keep - 1)
announce()
return new.job_id
