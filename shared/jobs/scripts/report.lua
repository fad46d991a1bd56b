-- Notes the stage and the progress of a run.
-- Argument: attempt, stage, progress.
-- Answers lost, held or cancel-asked.

if not holds() then return 'lost' end
set('stage', argument.stage, 'progress', argument.progress)
announce()
return held_or_asked()
