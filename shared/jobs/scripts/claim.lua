-- Takes a queued job up, as its next attempt.
-- Argument: worker.
-- Answers the number of the attempt, or nothing if the job cannot be taken up.

if field('status') == 'running' and field('last_call') == argument.call then
  return tonumber(field('attempts'))
end
if field('status') ~= 'queued' or not is_active(id()) or not lock() then return false end
if field('started_at') == '' then
  set('started_at', argument.now, 'started_seconds', clock())
end
set('status', 'running', 'worker', argument.worker, 'stage', '', 'progress', '0',
  'last_call', argument.call)
local attempt = redis.call('HINCRBY', record, 'attempts', 1)
announce()
return attempt
