-- Marks a version as being removed, unless the version key names it.
-- KEYS: the version key, the mark of the version's removal, the last removal (not used).
-- Argument: version.
-- Answers begun or named.

local argument = cjson.decode(ARGV[1])
if redis.pcall('GETRANGE', KEYS[1], 0, 63) == argument.version then
  -- An earlier removal ended half-way, and somebody has set the key by hand.
  redis.call('DEL', KEYS[2])
  return 'named'
end
redis.call('SET', KEYS[2], argument.version)
return 'begun'
