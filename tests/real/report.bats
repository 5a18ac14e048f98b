#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status and output
#
# The page of scripts/report in a real browser, opened as a file: five real runs, light and dark, on a desk and on a
# phone, by keyboard. TCPSTORM_SCREENSHOTS=DIR keeps what it looked like.

bats_require_minimum_version 1.5.0

# shellcheck source=tests/real/browser.bash
source "$BATS_TEST_DIRNAME/browser.bash"

tab=$'\ue004'
enter=$'\ue007'

setup_file() {
  need_browser
  "$TCPSTORM" --dry-run --quiet --isolate >/dev/null 2>&1 || skip 'this machine refuses a private network namespace'
  export pictures=${TCPSTORM_SCREENSHOTS:-$BATS_FILE_TMPDIR/screenshots}
  mkdir -p "$pictures"
  cd "$BATS_FILE_TMPDIR" || return 1
  "$TCPSTORM" --isolate --conns 1000 --order leak,server-first,half-close,abort --hold 500ms --quiet --json orders.json
  "$TCPSTORM" --isolate --cause ignore-eof --rate 200 --duration 3s --server-nofile 300 --quiet --json cause.json
  "$BATS_TEST_DIRNAME/../../scripts/report" orders.json cause.json -o page.html
  export page=$BATS_FILE_TMPDIR/page.html
  browser_start
  export browser_home session driver_pid
}

teardown_file() {
  browser_stop
}

# Every test begins with the page in a wide, light window.
setup() {
  browser_width 1100
  browser_scheme light
  browser_open "$page"
}

fail_with() {
  printf '%s\n' "$@"
  return 1
}

# holds EXPRESSION: it is true in the page.
holds() {
  local value
  value=$(browser_eval "$1")
  [[ $value == true ]] || fail_with "not true in the page: $1" "it is: $value"
}

# is_empty EXPRESSION: a list of what is wrong, with no content.
is_empty() {
  local value
  value=$(browser_eval "$1")
  [[ $value == '[]' ]] || fail_with "found in the page: $value"
}

@test "the page opens, with its title, its five runs and an empty console" {
  [[ $(browser_eval document.title) == '"tcpstorm: 5 runs"' ]] || fail_with "title: $(browser_eval document.title)"
  holds 'document.querySelectorAll("section.run").length === 5'
  holds 'document.querySelectorAll("svg.plot").length === 6'
  holds 'document.querySelectorAll("svg.ladder").length === 4'
  [[ $(browser_log browser) == '[]' ]] || fail_with 'the console is not empty'
}

@test "the first screen says which sides owe a close()" {
  holds '[...document.querySelectorAll(".who-cell")].some(cell => cell.innerText === "The server owes 1,000 close() calls." && cell.getBoundingClientRect().bottom < 900)'
  holds '[...document.querySelectorAll(".who-cell.owes")].length === 2'
}

@test "nothing is asked of the network" {
  local urls
  browser_log performance >/dev/null
  browser_open "$page"
  urls=$(browser_log performance | jq -r '.[].message | fromjson.message | select(.method == "Network.requestWillBeSent") | .params.request.url')
  [[ $urls == "file://$page" ]] || fail_with "what was asked for: $urls"
}

@test "every picture is drawn: a place on the page, and a name for those who do not see it" {
  is_empty '[...document.querySelectorAll("svg")].filter(svg => svg.getBoundingClientRect().height < 100 || svg.getAttribute("aria-labelledby").split(" ").some(id => !document.getElementById(id).textContent)).map(svg => svg.outerHTML.slice(0, 200))'
}

@test "no text leaves a ladder, and none meets another" {
  is_empty '[...document.querySelectorAll("svg.ladder")].flatMap(svg => {
    const frame = svg.getBoundingClientRect(), texts = [...svg.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()]);
    return texts.filter(([words, box]) => box.left < frame.left - 1 || box.right > frame.right + 1).map(([words]) => words)
      .concat(texts.flatMap(([words, a], i) => texts.slice(i + 1).filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4).map(([other]) => words + " / " + other)));
  })'
}

@test "a phone shows the page without scrolling sideways" {
  browser_width 360
  browser_open "$page"
  holds 'document.documentElement.scrollWidth === 360 && innerWidth === 360'
  is_empty '[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll > *") && e.getBoundingClientRect().right > 360.5).map(e => e.tagName + "." + e.className)'
  browser_screenshot "$pictures/phone.png"
}

@test "light and dark differ, and each is what was asked for" {
  local brightness='getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).reduce((sum, part) => sum + +part, 0)'
  holds "$brightness > 700"
  browser_screenshot "$pictures/light.png"
  browser_scheme dark
  holds "$brightness < 100"
  browser_screenshot "$pictures/dark.png"
  run ! cmp -s "$pictures/light.png" "$pictures/dark.png"
}

# WCAG 2.1: 4.5, and 3 for large text. Text inside pictures has its own ground and is left out.
@test "every text has contrast enough, in the light and in the dark" {
  local scheme
  for scheme in light dark; do
    browser_scheme "$scheme"
    browser_eval '(document.querySelectorAll("details").forEach(d => d.open = true), 0)'
    is_empty '(() => {
      const part = c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
      const light = ([r, g, b]) => .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
      const numbers = colour => colour.match(/[0-9.]+/g).map(Number);
      const ground = e => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
      return [...document.querySelectorAll("body *:not(svg *)")].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).map(e => {
        const style = getComputedStyle(e), [a, b] = [light(numbers(style.color)), light(ground(e))].sort((x, y) => y - x);
        const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
        return [(a + .05) / (b + .05), large ? 3 : 4.5, e.textContent.slice(0, 40)];
      }).filter(([ratio, least]) => !(ratio >= least));
    })()'
  done
}

@test "headings do not leave out a level" {
  holds '[...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(h => +h.tagName[1]).every((level, i, all) => i === 0 ? level === 1 : level <= all[i - 1] + 1)'
}

@test "the Tab key reaches the skip link first, then everything that opens, scrolls or can be copied" {
  local i
  browser_press "$tab"
  holds 'document.activeElement.matches("a.skip") && document.activeElement.getBoundingClientRect().top >= 0'
  browser_press "$enter"
  holds 'document.activeElement.id === "content"'
  browser_eval '(window.reached = new Set(), document.addEventListener("focusin", event => reached.add(event.target)), 0)'
  for ((i = 0; i < 60; i++)); do browser_press "$tab"; done
  is_empty '[...document.querySelectorAll("summary, .scroll, pre, .overview a")].filter(e => !reached.has(e)).map(e => e.outerHTML.slice(0, 80))'
  holds 'parseFloat(getComputedStyle([...reached][0]).outlineWidth) >= 0 && [...document.querySelectorAll(".scroll")].every(box => box.getAttribute("aria-label"))'
}

@test "whatever scrolls sideways takes the focus" {
  browser_width 360
  browser_open "$page"
  is_empty '[...document.querySelectorAll("body *")].filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "auto" && e.tabIndex < 0).map(e => e.outerHTML.slice(0, 80))'
  holds '[...document.querySelectorAll(".scroll")].some(e => e.scrollWidth > e.clientWidth + 1)'
}

@test "it works where scripts are forbidden" {
  cdp Emulation.setScriptExecutionDisabled '{"value":true}' >/dev/null
  browser_open "$page"
  browser_press "$tab"
  browser_press "$enter"
  holds 'document.activeElement.id === "content" && document.querySelectorAll("svg.plot").length === 6'
  browser_eval '(document.querySelector("summary").focus(), 0)'
  browser_press "$enter"
  holds 'document.querySelector("details").open'
  cdp Emulation.setScriptExecutionDisabled '{"value":false}' >/dev/null
}

@test "printed, no text is cut off at the right and what is folded is there" {
  cdp Emulation.setEmulatedMedia '{"media":"print"}' >/dev/null
  browser_width 700
  holds 'document.documentElement.scrollWidth <= 700'
  holds 'getComputedStyle(document.body).backgroundColor === "rgb(255, 255, 255)"'
  holds '[...document.querySelectorAll("details dl, details table")].every(e => e.checkVisibility({contentVisibilityAuto: true}) && e.getBoundingClientRect().height > 0)'
  cdp Emulation.setEmulatedMedia '{"media":""}' >/dev/null
}
