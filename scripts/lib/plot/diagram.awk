# diagram: draws the transitions that tcpstorm --transitions wrote: the states of RFC 9293's diagram as boxes in fixed
# places, an arrow for each move, as wide as the logarithm of its count; both sides of a run beside each other, the server's
# in the left panel. One SVG, no gnuplot. With several orders the counts are added up, and the first title says how many.
#
#   LC_ALL=C awk -f diagram.awk FILE.csv... > PICTURE.svg

BEGIN {
  FS = ","
  header = "order,side,from,to,count,dwell_p50_s,dwell_p90_s,dwell_p99_s,dwell_max_s"
  box_width = 120; box_height = 44; panel = 640; height = 760
  place("gone", 320, 60); place("LISTEN", 320, 150); place("SYN_RECV", 150, 240); place("SYN_SENT", 490, 240)
  place("ESTABLISHED", 320, 330); place("FIN_WAIT1", 150, 430); place("CLOSE_WAIT", 490, 430)
  place("FIN_WAIT2", 150, 530); place("CLOSING", 320, 530); place("LAST_ACK", 490, 530); place("TIME_WAIT", 230, 630)
  place("end", 320, 710)
}

FNR == 1 {
  if ($0 != header) refuse(FILENAME ": this is no CSV of --transitions: its first line should be " header)
  next
}
NF != 9 || $2 !~ /^(server|client)$/ || !($3 in x) || !($4 in x) || $5 !~ /^[0-9]+$/ { refuse(FILENAME ": line " FNR " is no row of --transitions") }
{
  if (!($1 in seen)) { seen[$1]; orders++; name = $1 }
  count[$2, $3, $4] += $5
  if ($5 > most) most = $5
  if ($6 != "" && orders == 1) { p50[$2, $3] = $6; p99[$2, $3] = $8 }
}

END {
  if (refused) exit 2
  if (!orders) { print "there are no rows" >"/dev/stderr"; exit 2 }
  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"DejaVu Sans,Arial,sans-serif\" font-size=\"12\">\n", 2 * panel, height, 2 * panel, height
  printf "<title>TCP transitions, per side</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
  print "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"9\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\"/></marker></defs>"
  draw("server", 0)
  draw("client", panel)
  print "</svg>"
}

function refuse(what) { print what >"/dev/stderr"; refused = 1; exit 2 }

function place(state, at_x, at_y) { x[state] = at_x; y[state] = at_y; states[++state_count] = state }

# The arrows of figure 5 are drawn in black, others dashed in red.
function is_drawn(from, to) {
  return index(" gone>LISTEN LISTEN>gone gone>SYN_SENT gone>SYN_RECV SYN_SENT>gone LISTEN>SYN_SENT LISTEN>SYN_RECV SYN_RECV>LISTEN" \
    " SYN_RECV>ESTABLISHED SYN_RECV>FIN_WAIT1 SYN_SENT>SYN_RECV SYN_SENT>ESTABLISHED ESTABLISHED>FIN_WAIT1 ESTABLISHED>CLOSE_WAIT" \
    " FIN_WAIT1>FIN_WAIT2 FIN_WAIT1>CLOSING FIN_WAIT1>TIME_WAIT FIN_WAIT2>TIME_WAIT CLOSING>TIME_WAIT CLOSE_WAIT>LAST_ACK" \
    " LAST_ACK>gone TIME_WAIT>gone ", " " from ">" to " ") > 0
}

function draw(side, left,    key, part, i, state) {
  printf "<g transform=\"translate(%d,0)\">\n<text x=\"24\" y=\"28\" font-size=\"16\" font-weight=\"bold\">%s, %s</text>\n", left, orders == 1 ? escaped(name) : orders " orders", side
  for (i = 1; i <= state_count; i++) for (k = 1; k <= state_count; k++)
    if (count[side, states[i], states[k]] > 0) arrow(side, states[i], states[k])
  for (i = 1; i <= state_count; i++) box(side, states[i])
  print "</g>"
}

function escaped(text) { gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); return text }

# Where a line from the middle of a box to a point leaves it.
function leaves(state, to_x, to_y,    dx, dy, scale) {
  dx = to_x - x[state]; dy = to_y - y[state]
  scale = 1
  if (dx != 0 && (box_width / 2) / abs(dx) < scale) scale = (box_width / 2) / abs(dx)
  if (dy != 0 && (box_height / 2) / abs(dy) < scale) scale = (box_height / 2) / abs(dy)
  edge_x = x[state] + dx * scale; edge_y = y[state] + dy * scale
}

function abs(n) { return n < 0 ? -n : n }

# What ends goes down to the second CLOSED, so that no arrow crosses the whole picture.
function arrow(side, from, to,    target, n, wide, x1, y1, colour, dashes) {
  n = count[side, from, to]
  target = to == "gone" && from != "LISTEN" ? "end" : to
  wide = most > 1 ? 1 + 5 * log(n + 1) / log(most + 1) : 2
  colour = is_drawn(from, to) ? "#333" : "#c02020"
  dashes = is_drawn(from, to) ? "" : " stroke-dasharray=\"6 4\""
  leaves(from, x[target], y[target]); x1 = edge_x; y1 = edge_y
  leaves(target, x[from], y[from])
  if (from == "gone" && to == "LISTEN") { x1 -= 20; edge_x -= 20 }
  if (from == "LISTEN") { x1 += 20; edge_x += 20 }
  printf "<path d=\"M%.1f,%.1f L%.1f,%.1f\" fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\"%s marker-end=\"url(#head)\"><title>%s to %s: %d</title></path>\n", \
    x1, y1, edge_x, edge_y, colour, wide, dashes, from, to, n
  printf "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\" text-anchor=\"middle\" paint-order=\"stroke\" stroke=\"white\" stroke-width=\"4\">%s</text>\n", \
    (2 * x1 + edge_x) / 3, (2 * y1 + edge_y) / 3, colour, grouped(n)
}

function grouped(n,    text) {
  text = sprintf("%d", n)
  while (match(text, /[0-9][0-9][0-9][0-9]($|,)/)) text = substr(text, 1, RSTART) "," substr(text, RSTART + 1)
  return text
}

function duration(s) {
  if (s < 0.001) return sprintf("%.0f us", s * 1e6)
  if (s < 1) return sprintf("%.0f ms", s * 1e3)
  return sprintf("%.3g s", s)
}

function box(side, state,    label) {
  label = state == "gone" || state == "end" ? "CLOSED" : state
  printf "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"5\" fill=\"#eef3fa\" stroke=\"#456\"/>\n", x[state] - box_width / 2, y[state] - box_height / 2, box_width, box_height
  printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-weight=\"bold\">%s</text>\n", x[state], y[state] + ((side, state) in p50 ? -3 : 4), label
  if ((side, state) in p50)
    printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-size=\"10\">p50 %s, p99 %s</text>\n", x[state], y[state] + 13, duration(p50[side, state]), duration(p99[side, state])
}
