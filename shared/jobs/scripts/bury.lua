-- Counts the death of a worker whose heartbeat stands still.
-- Argument: attempt and heartbeat as the watcher saw them, most_deaths, error (if those are
-- reached).
-- Answers the job's new status, or nothing if the attempt was alive after all or another watcher was
-- quicker.

if field('status') ~= 'running'
  or tonumber(field('attempts')) ~= argument.attempt
  or tonumber(field('heartbeat')) ~= argument.heartbeat then return false end
local deaths = redis.call('HINCRBY', record, 'deaths', 1)
if field('cancel_requested') == '1' then
  close('cancelled', '')
elseif deaths >= argument.most_deaths then
  close('failed', argument.error)
else
  requeue()
end
return field('status')
