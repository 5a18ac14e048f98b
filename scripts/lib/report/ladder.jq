# ladder.jq: draws an order as a ladder diagram, in the manner of RFC 9293, section 3.5: two lifelines, the client's on
# the left and the server's on the right; the calls beside them, the segments between them as arrows, and the state of
# each end after every step. A lifeline has the colour of its state.

include "states";

def ladder_width: 400;
def left_line: 22;
def right_line: 378;
def call_height: 48;
def segment_height: 34;
def states_height: 58;

# Each step with its place from the top: y, where the calls are; y_states, where the states are; y_end.
def place_steps:
  reduce .[] as $step ({y: 40, steps: []};
    .y as $y | ($y + call_height + segment_height * ([1, ($step.segments | length)] | max)) as $y_states
    | .steps += [$step + {y: $y, y_states: $y_states, y_end: ($y_states + states_height)}]
    | .y = $y_states + states_height)
  | .steps;

def text($x; $y; $anchor; $class; $words):
  if $words == "" then "" else @html "<text x=\"\($x)\" y=\"\($y)\" text-anchor=\"\($anchor)\" class=\"\($class)\">\($words)</text>" end;

# An arrow falls a little on its way, as time does.
def arrow($segment; $y):
  (if $segment.from == "client" then [left_line + 12, right_line - 14, 1] else [right_line - 12, left_line + 14, -1] end) as [$from, $to, $way]
  | ($y + 8) as $tip
  | "<path class=\"wire\" d=\"M\($from) \($y) L\($to - $way * 4) \($tip)\"/>"
    + "<path class=\"tip\" d=\"M\($to) \($tip) l\(-11 * $way) -5.5 l\(0.5 * $way) 10.5 z\"/>"
    + text(ladder_width / 2; $y - 3; "middle"; "flags"; $segment.flags);

def segments:
  . as $step
  | if ($step.segments | length) == 0 then text(ladder_width / 2; $step.y + call_height + 12; "middle"; "quiet"; "nothing is sent")
    else [$step.segments | to_entries[] | arrow(.value; $step.y + call_height + 10 + segment_height * .key)] | join("") end;

# The words stand between the lifelines, each beside its own, so that the picture is narrow enough for a phone.
def state_mark($x; $anchor; $name; $y):
  (if $anchor == "start" then $x + 17 else $x - 17 end) as $text_x
  | @html "<circle class=\"mark \($name | state_class)\" cx=\"\($x)\" cy=\"\($y)\" r=\"7\"/>"
    + text($text_x; $y + 5; $anchor; if $name == "CLOSE_WAIT" then "state owes" else "state" end; $name)
    + text($text_x; $y + 21; $anchor; "quiet"; $name | state_short);

# The piece of a lifeline on which a state lasts: to the next step's states, or a little beyond the last.
def life($x; $name; $from; $to):
  @html "<rect class=\"life \($name | state_class)\" x=\"\($x - 3)\" y=\"\($from)\" width=\"6\" height=\"\($to - $from)\"/>";

def draw_step($next_y):
  text(ladder_width / 2; .y + 14; "middle"; "step"; .step)
  + text(left_line + 17; .y + 36; "start"; "call"; .client_call)
  + text(right_line - 17; .y + 36; "end"; "call"; .server_call)
  + life(left_line; .client; .y_states; $next_y) + life(right_line; .server; .y_states; $next_y)
  + segments
  + state_mark(left_line; "start"; .client; .y_states) + state_mark(right_line; "end"; .server; .y_states);

# The same in words, for those who do not see the picture.
def step_words:
  "\(.step): "
  + ([(select(.client_call != "") | "the client calls \(.client_call)"), (select(.server_call != "") | "the server calls \(.server_call)")] | join(", "))
  + (if .client_call + .server_call == "" then "nobody calls anything" else "" end)
  + "; " + (if (.segments | length) == 0 then "nothing is sent" else [.segments[] | "\(.from) sends \(.flags)"] | join(", ") end)
  + "; then the client is \(.client) and the server \(.server).";

def ladder_svg($id; $order):
  place_steps as $steps
  | ($steps[-1].y_end + 8) as $height
  | @html "<svg class=\"ladder\" viewBox=\"0 0 \(ladder_width) \($height)\" role=\"img\" aria-labelledby=\"\($id)-title \($id)-words\">"
    + @html "<title id=\"\($id)-title\">Ladder diagram of \($order)</title>"
    + @html "<desc id=\"\($id)-words\">\([$steps[] | step_words] | join(" "))</desc>"
    + text(4; 20; "start"; "end-name"; "client") + text(ladder_width - 4; 20; "end"; "end-name"; "server")
    + "<path class=\"thread\" d=\"M\(left_line) 32 V\($height) M\(right_line) 32 V\($height)\"/>"
    + ([range($steps | length) as $i | $steps[$i] | draw_step($steps[$i + 1].y_states // .y_end)] | join("\n"))
    + "</svg>";
