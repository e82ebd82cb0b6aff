-- Posts bodies in turn, each with the number of its request in it; prints what came of it as one line of JSON.
-- Arguments: file of bodies (one a line), mark to be replaced, run (4 characters), content type, header or "".

local posts, run, number = {}, "", 0

-- Text, mark, text, mark, …, text: only the marks are new for each request.
local function cut(text, mark)
  local pieces, from = {}, 1
  while true do
    local first, last = text:find(mark, from, true)
    if not first then break end
    pieces[#pieces + 1] = text:sub(from, first - 1)
    pieces[#pieces + 1] = mark
    from = last + 1
  end
  pieces[#pieces + 1] = text:sub(from)
  return pieces
end

function init(args)
  run = args[3]
  local extra = args[5] ~= "" and args[5] .. "\r\n" or ""
  for body in io.lines(args[1]) do
    local head = "POST /events HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port
      .. "\r\nContent-Type: " .. args[4] .. "\r\nContent-Length: " .. #body .. "\r\n" .. extra .. "\r\n"
    posts[#posts + 1] = cut(head .. body, args[2])
  end
end

function request()
  number = number + 1
  local pieces = posts[number % #posts + 1]
  local id = string.format("%s-%08d", run, number)
  for i = 2, #pieces, 2 do pieces[i] = id end
  return table.concat(pieces)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "bad": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d, '
    .. '"p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status, errors.connect, errors.read, errors.write,
    errors.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
