-- Reads the records of jobs as clients see them.
-- KEYS: + the list of jobs.
-- Argument: limit (how many of the list, the newest first; without it: the job's own), fields (to
-- read), longest (bytes that the id or a field may have).
-- Answers for each job its id, then a sentence if its record cannot be read, or the fields' values.

local ids = {id()}
if argument.limit then ids = read('LRANGE', KEYS[4], 0, argument.limit - 1) or {} end
local found = {}
for _, job in ipairs(ids) do
  local key = argument.job_prefix .. job
  local kind = #job == 32 and redis.call('TYPE', key).ok or 'none'
  local answer = {job}
  if kind == 'hash' then
    for place, name in ipairs(argument.fields) do
      if redis.call('HSTRLEN', key, name) > argument.longest then
        answer = {job, name .. ' is longer than ' .. argument.longest .. ' bytes'}
        break
      end
      answer[place + 1] = redis.call('HGET', key, name) or ''
    end
  elseif kind ~= 'none' then
    answer[2] = 'it is a ' .. kind .. ', and not a hash'
  end
  if answer[2] then found[#found + 1] = answer end
end
return found
