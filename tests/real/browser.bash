# shellcheck shell=bash
# browser: a real Chromium without a window, driven by WebDriver (chromedriver) with curl and jq. It lives in the test's
# temporary folder and is ended by its process number.

browser_needs=(chromium chromedriver curl jq)

need_browser() {
  local tool
  for tool in "${browser_needs[@]}"; do
    command -v "$tool" >/dev/null || skip "$tool is missing (scripts/check --real installs it)"
  done
}

# until_true SECONDS COMMAND...: waits for a condition with a deadline.
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

driver_port() {
  sed -n 's/.*started successfully on port \([0-9]*\).*/\1/p' "$browser_home/driver.log"
}

driver_is_up() {
  [[ -n $(driver_port) ]]
}

# driver METHOD PATH [JSON]: asks chromedriver; prints the value of its answer, or fails with what went wrong.
driver() {
  local answer
  answer=$(curl -s --max-time 60 -X "$1" -H 'Content-Type: application/json' ${3:+--data-binary "$3"} \
    "http://127.0.0.1:$(driver_port)$2") || return 1
  if [[ $(jq -r '.value | type == "object" and has("error")' <<<"$answer") == true ]]; then
    jq -r '.value | "\(.error): \(.message)"' <<<"$answer" >&2
    return 1
  fi
  jq -c .value <<<"$answer"
}

# Root may not have Chromium's own sandbox. What it would send home by itself is turned off.
browser_start() {
  browser_home=$(mktemp -d "${BATS_FILE_TMPDIR:?}/browser.XXXXXX")
  : >"$browser_home/driver.log"
  HOME=$browser_home chromedriver --port=0 >"$browser_home/driver.log" 2>&1 3>&- &
  driver_pid=$!
  until_true 20 driver_is_up || return 1
  session=$(driver POST /session "$(jq -nc --arg home "$browser_home/profile" '{capabilities: {alwaysMatch: {
    browserName: "chrome",
    "goog:loggingPrefs": {browser: "ALL", performance: "ALL"},
    "goog:chromeOptions": {binary: "/usr/bin/chromium", args: ["--headless=new", "--no-sandbox", "--disable-gpu",
      "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
      "--window-size=1100,900", "--user-data-dir=\($home)"]}}}}')" | jq -r .sessionId)
}

browser_stop() {
  [[ -z ${session-} ]] || driver DELETE "/session/$session" >/dev/null 2>&1 || true
  [[ -z ${driver_pid-} ]] || kill "$driver_pid" 2>/dev/null || true
  [[ -z ${driver_pid-} ]] || wait "$driver_pid" 2>/dev/null || true
  session='' driver_pid=''
}

# cdp COMMAND [PARAMETERS]: a command of Chromium's own protocol.
cdp() {
  driver POST "/session/$session/goog/cdp/execute" "{\"cmd\":\"$1\",\"params\":${2:-{\}}}"
}

browser_open() {
  driver POST "/session/$session/url" "$(jq -nc --arg url "file://$1" '{url: $url}')" >/dev/null
}

# What an expression is, as JSON.
browser_eval() {
  driver POST "/session/$session/execute/sync" "$(jq -nc --arg script "return ($1)" '{script: $script, args: []}')"
}

# browser_log browser|performance: the messages since the last time.
browser_log() {
  driver POST "/session/$session/se/log" "{\"type\":\"$1\"}"
}

# browser_width PX: a window that wide; below 600 a phone's.
browser_width() {
  cdp Emulation.setDeviceMetricsOverride \
    "$(jq -nc --argjson width "$1" '{width: $width, height: 900, deviceScaleFactor: 1, mobile: ($width < 600)}')" >/dev/null
}

browser_scheme() {
  cdp Emulation.setEmulatedMedia "{\"features\":[{\"name\":\"prefers-color-scheme\",\"value\":\"$1\"}]}" >/dev/null
}

# browser_press KEY: one key, by its WebDriver code point or character.
browser_press() {
  driver POST "/session/$session/actions" "$(jq -nc --arg key "$1" '{actions: [{type: "key", id: "keys", actions: [
    {type: "keyDown", value: $key}, {type: "keyUp", value: $key}]}]}')" >/dev/null
}

# The whole page as a PNG, below what the window shows too.
browser_screenshot() { # FILE
  cdp Page.captureScreenshot '{"format":"png","captureBeyondViewport":true}' | jq -r .data | base64 -d >"$1"
}
