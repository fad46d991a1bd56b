-- Makes a job, unless one is queued or running. A run that was asked to stop is ended as cancelled:
-- its attempt learns that it has lost the run, and the new job is not held up by it.
-- KEYS: + the list of jobs.
-- Argument: record (all fields of the new job), keep (how many jobs to keep).
-- Answers the id of the active job: of the new one, or of the one in flight.

local jobs = KEYS[4]
local new = argument.record
local own_record, own_events = record, events
local current = read('GET', active)
if current and is_active(current) then
  record, events = argument.job_prefix .. current, argument.events_prefix .. current
  if field('status') == 'queued' or field('cancel_requested') ~= '1' then
    if new.force == '1' then set('force', '1') end
    return current
  end
  close('cancelled', '')
  record, events = own_record, own_events
end
for name, value in pairs(new) do set(name, value) end
redis.call('SET', active, new.job_id)
note('LPUSH', jobs, new.job_id)
for _, old in ipairs(redis.call('LRANGE', jobs, argument.keep, -1)) do
  redis.call('DEL', argument.job_prefix .. old, argument.events_prefix .. old)
end
redis.call('LTRIM', jobs, 0, argument.keep - 1)
announce()
return new.job_id
