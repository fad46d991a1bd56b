-- Shows the watchers that the attempt is alive.
-- Argument: attempt.
-- Answers lost, held or cancel-asked.

if not holds() then return 'lost' end
redis.call('HINCRBY', record, 'heartbeat', 1)
return held_or_asked()
