-- Sends the requests in a folder in turn: wrk ... -- FOLDER COUNT [MILESTONE...]
-- With milestones it also checks every answer against the folder's expected.txt, and says when so many were answered.
local TOLERANCE = 1e-5
local requests, expected, known, next_request = {}, {}, {}, 0
local answered = 0
local threads = {}
wrong, example = 0, "" -- global: done() asks the thread for them

function setup(thread)
  table.insert(threads, thread)
end

local function right(k, body)
  local digit = body:match('"digit":%s*(%d)')
  local numbers = body:match('"probabilities":%s*%[([^%]]*)')
  if not expected[k] or tonumber(digit) ~= expected[k].digit or not numbers then return false end
  local n = 0
  for number in numbers:gmatch("[^,%s]+") do
    n = n + 1
    local want = expected[k][n]
    if not want or not (math.abs(tonumber(number) - want) <= TOLERANCE) then return false end
  end
  return n == 10
end

local function check(milestones)
  return function(status, headers, body)
    local k = tonumber(headers["x-request-id"] or headers["X-Request-ID"])
    if status ~= 200 or not k or (known[k] ~= body and not right(k, body)) then
      wrong = wrong + 1
      example = status .. " " .. body:sub(1, 200)
    else
      known[k] = body -- the same again needs no second look
    end
    answered = answered + 1
    if milestones[answered] then
      io.write("answered ", answered, "\n")
      io.flush()
    end
  end
end

function init(args)
  for k = 0, tonumber(args[2]) - 1 do
    local file = assert(io.open(args[1] .. "/" .. k, "rb"))
    requests[k] = file:read("*a")
    file:close()
  end
  if #args < 3 then return end
  local milestones = {}
  for i = 3, #args do milestones[tonumber(args[i])] = true end
  local k = 0
  for line in io.lines(args[1] .. "/expected.txt") do
    local numbers = {}
    for number in line:gmatch("%S+") do table.insert(numbers, tonumber(number)) end
    expected[k] = numbers
    expected[k].digit = table.remove(numbers, 1)
    k = k + 1
  end
  response = check(milestones) -- only now: with a response() wrk gathers every header and body
end

function request()
  next_request = (next_request + 1) % (#requests + 1)
  return requests[next_request]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"refused":%d,"broken":%d,"wrong":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout, threads[1]:get("wrong")))
  local bad = threads[1]:get("example")
  if bad ~= "" then io.write("EXAMPLE ", bad, "\n") end
end
