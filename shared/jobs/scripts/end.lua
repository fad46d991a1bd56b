-- Ends a run that has no version to show.
-- Argument: attempt, status (failed or cancelled), error.
-- Answers lost or held.

if not holds() then return 'lost' end
close(argument.status, argument.error)
return 'held'
