# markdown.awk: turns a guide, written in the Markdown below, into a man page. It needs the variables name, section, date and
# version. The same sources are what lowdown(1) takes.
#
#   # TITLE, ## Title      a section, and one within it
#   ```language            a block, shown as it is, to the next ```
#   - text                 an item of a list; lines that are indented belong to it
#   **bold** *emphasis* `code` [text](address)   within one line or over two; an address within the page is left out

# Of text: what roff would take for its own.
function escape(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    gsub(/'/, "\\(aq", text)
    gsub(/`/, "\\`", text)
    return text
}

function verbatim(line) {
    line = escape(line)
    return line ~ /^\./ ? "\\&" line : line
}

# Each pair of marks becomes a font.
function between(text, mark, font,   parts, count, i, out) {
    count = split(text, parts, mark)
    out = parts[1]
    for (i = 2; i <= count; i++) out = out (i % 2 == 0 && i < count ? font : i % 2 ? "\\fR" : mark) parts[i]
    return out
}

function with_links(text,   link, label, address) {
    while (match(text, /\[[^]]*\]\([^)]*\)/)) {
        link = substr(text, RSTART, RLENGTH)
        label = address = link
        sub(/^\[/, "", label)
        sub(/\]\(.*/, "", label)
        sub(/.*\]\(/, "", address)
        sub(/\)$/, "", address)
        if (label ~ /\([0-9]\)$/) label = "**" label "**"
        else if (address !~ /^#/) label = label " <" address ">"
        text = substr(text, 1, RSTART - 1) label substr(text, RSTART + RLENGTH)
    }
    return text
}

# Code is what it is: its marks mean nothing.
function inline(text,   parts, count, i, out) {
    count = split(with_links(text), parts, "`")
    for (i = 1; i <= count; i++)
        if (i % 2) out = out between(between(escape(parts[i]), "\\*\\*", "\\fB"), "\\*", "\\fI")
        else out = out "\\fB" escape(parts[i]) "\\fR"
    return out
}

function end_paragraph() {
    if (paragraph == "") return
    paragraph = inline(paragraph)
    # A sentence a line, as roff spaces them.
    gsub(/\. /, ".\n", paragraph)
    gsub(/\n\./, "\n\\\\\\&.", paragraph)
    print (paragraph ~ /^\./ ? "\\&" : "") paragraph
    paragraph = ""
}

function begin(macro) {
    end_paragraph()
    print macro
}

BEGIN { printf ".TH %s %s %s \"tcpstorm %s\" \"Guides\"\n", toupper(name), section, date, version }

/^```/ {
    if (!inside) begin(".PP\n.RS\n.EX")
    else print ".EE\n.RE"
    inside = !inside
    next
}
inside { print verbatim($0); next }
/^# / { begin(".SH " escape(substr($0, 3))); fresh = 1; next }
/^## / { begin(".SS " escape(substr($0, 4))); fresh = 1; next }
/^- / { begin(".IP \\(bu 2"); paragraph = substr($0, 3); fresh = 0; next }
/^$/ { end_paragraph(); next }
{
    sub(/^ +/, "")
    if (paragraph == "" && !fresh) print ".PP"
    paragraph = paragraph (paragraph == "" ? "" : " ") $0
    fresh = 0
}
END { end_paragraph() }
