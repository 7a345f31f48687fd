-- Corrects counts. KEYS: the counts. ARGV: limit of each, and what is taken besides (below 0: given back).
-- take.lua says what stands there.
local PARTS, DEEPEST = 60000, 6000000000000000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i, key in ipairs(KEYS) do
  local limit, more = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local missing, kept = 0, redis.call('GET', key)
  if kept then
    local parts, since = string.match(kept, '^(%d+) (%d+)$')
    if parts then
      missing = math.max(0, tonumber(parts) - math.max(0, now - tonumber(since)) * limit)
    end
  end
  missing = math.max(0, math.min(DEEPEST, missing + more * PARTS))
  if missing == 0 then
    redis.call('DEL', key)
  else
    local full = math.ceil(missing / limit)
    redis.call('SET', key, string.format('%.0f %.0f', missing, now), 'PX', string.format('%.0f', full + 1000))
  end
end
return #KEYS
