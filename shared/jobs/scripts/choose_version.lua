-- Chooses the name of the version that the job will publish; a later attempt gets the same name.
-- Argument: attempt, proposed (name).
-- Answers the name, or nothing if the run is lost.

if not holds() then return false end
if field('model_version') == '' then set('model_version', argument.proposed) end
return field('model_version')
