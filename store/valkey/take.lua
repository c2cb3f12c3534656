-- Counts the calls of one detail, in order, as guard/meter does in memory: in at most 64 batches, oldest first, each with id, time of
-- its last call and number of calls. KEYS[1] is the detail. ARGV[1] is a test's time in microseconds, or empty for this server's. Then
-- come pairs: how many calls a minute may have and 0, or -1 and the batch to give a call back to. The answer is pairs: the batch
-- and 0, or 0 and the microseconds to wait. All numbers are below 2^53, which Lua's can tell apart.
local window, most = 60000000, 64
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = tonumber(t[1]) * 1000000 + tonumber(t[2])
end
local kept = redis.call('GET', KEYS[1])
local d = kept and cmsgpack.unpack(kept) or {next = now, ids = {}, lasts = {}, calls = {}}
local ids, lasts, calls = d.ids, d.lasts, d.calls

-- Forget what no longer counts. Where the clock went back, the newest batch is of this moment.
local ahead = (lasts[#lasts] or now) - now
if ahead > 0 then
  for i = 1, #lasts do lasts[i] = lasts[i] - ahead end
end
while #ids > 0 and now - lasts[1] >= window do
  table.remove(ids, 1)
  table.remove(lasts, 1)
  table.remove(calls, 1)
end
local sum = 0
for i = 1, #calls do sum = sum + calls[i] end

local answer = {}
for a = 2, #ARGV, 2 do
  local limit, batch, wait = tonumber(ARGV[a]), 0, 0
  if limit < 0 then
    local back = tonumber(ARGV[a + 1])
    for i = 1, #ids do
      if ids[i] == back then
        sum, calls[i] = sum - 1, calls[i] - 1
        if calls[i] == 0 then
          table.remove(ids, i)
          table.remove(lasts, i)
          table.remove(calls, i)
        end
        break
      end
    end
  elseif sum >= limit then
    wait = window
    local left = sum
    for i = 1, #ids do
      left = left - calls[i]
      if left < limit then
        wait = lasts[i] + window - now
        break
      end
    end
  else
    sum = sum + 1
    local n = #ids
    if n > 0 and (calls[n] < math.ceil(limit / most) or n == most) then
      calls[n], lasts[n] = calls[n] + 1, now
    else
      n, d.next = n + 1, d.next + 1
      ids[n], lasts[n], calls[n] = d.next, now, 1
    end
    batch = ids[n]
  end
  -- As text: an answer in numbers would be cut to integers, which is right, but one above 2^31 was not always safe.
  answer[#answer + 1] = string.format('%.0f', batch)
  answer[#answer + 1] = string.format('%.0f', wait)
end
redis.call('SET', KEYS[1], cmsgpack.pack(d), 'PX', window / 1000)
return answer
