-- Hands the run of a worker that is politely stopped back to the queue: no death is counted.
-- Argument: worker.
-- Answers 1 if the job is queued again, else nothing.

if field('status') ~= 'running' or field('worker') ~= argument.worker then return false end
if field('cancel_requested') == '1' then
  close('cancelled', '')
  return false
end
requeue()
return true
