-- GCRA on several keys at once: all of them are charged, or none.
--
-- KEYS: one per limit.
-- ARGV: 'charge' or 'refund'; then five integers per limit: the parts of a microsecond, and the cost and the capacity,
-- each in whole microseconds and parts.
--
-- Times are pairs (whole microseconds since the Unix epoch, parts of one more). A microsecond has so many parts that
-- costs are exact; doubles hold every number here exactly (below 2^53, until the year 2255).

local is_charge = ARGV[1] == 'charge'
local limits = {}
local allowed = 1

for i = 1, #KEYS do
    local at = 5 * (i - 1) + 1
    local parts = tonumber(ARGV[at + 1])
    local cost, cost_parts = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local capacity, capacity_parts = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])

    -- How far the arrival time is ahead of now.
    local ahead, ahead_parts = 0, 0
    local stored = redis.call('GET', KEYS[i])
    if stored then
        local whole, rest = string.match(stored, '^(%d+):(%d+)$')
        if not whole then
            return redis.error_reply('FOREIGN the key of a rate limit has another value')
        end
        ahead, ahead_parts = tonumber(whole) - now, tonumber(rest)
        if ahead_parts >= parts then
            -- Written under another quota, whose microsecond had more parts.
            ahead, ahead_parts = ahead + 1, 0
        end
        if ahead < 0 then
            ahead, ahead_parts = 0, 0
        elseif ahead > capacity or (ahead == capacity and ahead_parts > capacity_parts) then
            -- No charge under this quota goes there: the quota was lowered, or the clock was set back.
            ahead, ahead_parts = capacity, capacity_parts
        end
    end

    local new, new_parts
    if is_charge then
        new, new_parts = ahead + cost, ahead_parts + cost_parts
        if new_parts >= parts then
            new, new_parts = new + 1, new_parts - parts
        end
        if new > capacity or (new == capacity and new_parts > capacity_parts) then
            allowed = 0
        end
    else
        new, new_parts = ahead - cost, ahead_parts - cost_parts
        if new_parts < 0 then
            new, new_parts = new - 1, new_parts + parts
        end
        if new < 0 then
            new, new_parts = 0, 0
        end
    end
    limits[i] = { ahead, ahead_parts, new, new_parts }
end

local reply = { allowed }
for i = 1, #KEYS do
    local ahead, ahead_parts, new, new_parts = unpack(limits[i])
    if allowed == 1 then
        if new == 0 and new_parts == 0 then
            if ahead > 0 or ahead_parts > 0 then
                redis.call('DEL', KEYS[i])
            end
        elseif new ~= ahead or new_parts ~= ahead_parts then
            -- Not tostring, which keeps 14 digits. The key lives until it says what no key says.
            local value = string.format('%.0f:%.0f', now + new, new_parts)
            redis.call('SET', KEYS[i], value, 'PX', string.format('%.0f', math.floor(new / 1000) + 1 + keep_ms))
        end
        ahead, ahead_parts = new, new_parts
    end
    reply[2 * i] = ahead
    reply[2 * i + 1] = ahead_parts
end
return reply
