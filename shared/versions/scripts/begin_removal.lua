-- Marks a version as being removed, unless the version key names it.
-- KEYS: the version key, the mark of the version's removal.
-- Argument: version.
-- Answers 1 if it is marked, 0 if the key names it.

local argument = cjson.decode(ARGV[1])
if redis.pcall('GETRANGE', KEYS[1], 0, 63) == argument.version then
  -- An earlier removal ended half-way, and somebody has set the key by hand.
  redis.call('DEL', KEYS[2])
  return 0
end
redis.call('SET', KEYS[2], argument.version)
return 1
