-- Ends a queued job, or asks a running one to stop.
-- Answers accepted, ended or unknown.

local status = field('status')
if not status then return 'unknown' end
if status == 'cancelled' and field('last_call') == argument.call then return 'accepted' end
if status == 'queued' then
  set('last_call', argument.call)
  close('cancelled', '')
  return 'accepted'
end
if status ~= 'running' then return 'ended' end
set('cancel_requested', '1')
return 'accepted'
