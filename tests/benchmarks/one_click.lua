-- For wrk, with one thread: post a one-click unsubscribe to each path of a file, once.
--
--     wrk -t 1 -c 64 -d 600 -s one_click.lua URL -- FILE
--
-- wrk knows no number of requests, so connections without a path left ask for /healthz until every
-- unsubscribe is answered. Then the script prints how many were answered 200, and within how many
-- seconds, and exits. It fails if one was answered otherwise, or not within 30 seconds.

local ffi = require("ffi")
ffi.cdef([[
   struct timespec { long seconds; long nanoseconds; };
   int clock_gettime(int clock, struct timespec *now);
]])

local CLOCK_MONOTONIC = 1
local BODY = "List-Unsubscribe=One-Click"
local ANSWER = "You are unsubscribed."
local MAX_WAIT = 30
local paths, sent, answered, started, drained = {}, -1, 0, nil, nil

local function now()
   local time = ffi.new("struct timespec")
   ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
   return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

local function fail(why)
   io.stderr:write(why .. "\n")
   os.exit(1)
end

function init(arguments)
   for line in assert(io.open(arguments[1])):lines() do
      paths[#paths + 1] = line
   end
   assert(#paths > 0, "no paths in " .. arguments[1])
end

-- wrk calls this once before it begins, and does not send that request: `sent` begins at -1.
function request()
   sent = sent + 1
   if sent == 1 then
      started = now()
   end
   local path = paths[sent]
   if path == nil then
      drained = drained or (sent > 0 and now())
      return "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
   end
   return "POST " .. path .. " HTTP/1.1\r\nHost: localhost\r\n"
      .. "Content-Type: application/x-www-form-urlencoded\r\n"
      .. "Content-Length: " .. #BODY .. "\r\n\r\n" .. BODY
end

function response(status, headers, body)
   if status ~= 200 then
      fail("an unsubscribe was answered " .. status)
   elseif body:sub(1, #ANSWER) == ANSWER then
      answered = answered + 1
   elseif drained and now() - drained > MAX_WAIT then
      fail("only " .. answered .. " of " .. #paths .. " unsubscribes were answered")
   end
   if answered == #paths then
      print(answered .. " unsubscribed in " .. now() - started)
      os.exit(0)
   end
end

function done()
   fail("the duration was too short: " .. answered .. " of " .. #paths .. " are answered")
end
