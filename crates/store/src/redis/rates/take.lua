-- Takes from all counts or from none. KEYS: the counts. ARGV: limit and amount of each.
-- Gives: the place of the count that is waited for longest, from 1, and how many ms it is waited for (-1: never), or 0
-- and 0; then of each count what remains and how many ms until it is full.
-- A count is "missing at": missing in parts of a 60,000th, a millisecond refills `limit` parts; and the ms it was
-- refilled until. Every number is below 2^53, so a double holds it exactly.
local PARTS, DEEPEST = 60000, 6000000000000000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local counts, at, longest = {}, 0, 0
for i, key in ipairs(KEYS) do
  local limit, amount = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local missing, kept = 0, redis.call('GET', key)
  if kept then
    local parts, since = string.match(kept, '^(%d+) (%d+)$')
    if parts then
      missing = math.max(0, tonumber(parts) - math.max(0, now - tonumber(since)) * limit)
    end
  end
  local wait = math.ceil(math.max(0, missing - (limit - math.min(amount, limit)) * PARTS) / limit)
  if amount > limit then
    wait = -1
  end
  if wait == -1 or (longest ~= -1 and wait > 0 and wait >= longest) then
    at, longest = i, wait
  end
  counts[i] = { limit = limit, amount = amount, missing = missing }
end
local answer = { at, longest }
for i, count in ipairs(counts) do
  if at == 0 and count.amount > 0 then
    count.missing = math.min(DEEPEST, count.missing + count.amount * PARTS)
    local full = math.ceil(count.missing / count.limit)
    redis.call('SET', KEYS[i], string.format('%.0f %.0f', count.missing, now), 'PX', string.format('%.0f', full + 1000))
  end
  answer[2 * i + 1] = math.floor(math.max(0, count.limit * PARTS - count.missing) / PARTS)
  answer[2 * i + 2] = math.ceil(count.missing / count.limit)
end
return answer
