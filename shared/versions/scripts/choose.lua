-- Names the version to serve, unless somebody removes it.
-- KEYS: the version key, the mark of the version's removal, the last removal.
-- Argument: version, and one of: last_removal (what the last removal was when the version was found
-- sound), if_missing (true: only if the key is missing); and perhaps instead_of (only if the key names
-- that).
-- Answers chosen, being-removed, look-again (a removal has ended meanwhile) or named-already.

local argument = cjson.decode(ARGV[1])
if redis.call('EXISTS', KEYS[2]) == 1 then return 'being-removed' end
if argument.if_missing then
  if redis.call('EXISTS', KEYS[1]) == 1 then return 'named-already' end
else
  local last = redis.pcall('GETRANGE', KEYS[3], 0, 63)
  -- Whoever writes to Redis may have made it a key of another type.
  if type(last) ~= 'string' then last = '' end
  if last ~= argument.last_removal then return 'look-again' end
end
if argument.instead_of and redis.pcall('GETRANGE', KEYS[1], 0, 63) ~= argument.instead_of then
  return 'named-already'
end
redis.call('SET', KEYS[1], argument.version)
return 'chosen'
