-- Ends a run that has stored a version. The version key, the job's end and the free run lock are
-- one step: no reader sees one without the others, and no worker that lost the run can set the key.
-- KEYS: + the version key.
-- Argument: attempt, result (JSON), serve (the version to serve, or "").
-- Answers lost, held, cancel-asked or force-asked. Only held means that it is done.

-- The answer to an earlier call of this attempt was lost on its way: it is done.
if field('status') == 'succeeded' and tonumber(field('attempts')) == argument.attempt then
  return 'held'
end
if not holds() then return 'lost' end
if field('cancel_requested') == '1' then return 'cancel-asked' end
-- Force was asked for after the gate had rejected the candidate: it still holds for this run.
if argument.serve == '' and field('force') == '1' then return 'force-asked' end
if argument.serve ~= '' then redis.call('SET', KEYS[4], argument.serve) end
set('result', argument.result, 'progress', '1')
close('succeeded', '', argument.serve == '' and 'rejected' or 'promoted')
return 'held'
