#!/usr/bin/env python3
"""guides.py: fills the parts of README.md and src/man/*.md that come from tables of the program.

  guides.py PROGRAM           rewrites the pages that differ
  guides.py --check PROGRAM   names them, and fails

A part lies between "<!-- begin: WHAT -->" and "<!-- end -->". WHAT is:

  options COMMAND   the options of a command
  orders, causes    the lists of both
  commands          what each command does, and the page about it
  pages             the pages that there are
  synopsis COMMAND  how a command is called; "all": how all are
  table NAME        a table of "tcpstorm tables": columns, events, metrics, states, groups
"""
import pathlib
import re
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDES = ROOT / "src/man"
PART = re.compile(r"(<!-- begin: (.*?) -->\n).*?(<!-- end -->)", re.S)
WIDTH = 118


def wrapped(markdown):
    """Lines as long as those written by hand; tables stay as they are."""
    lines = []
    for line in markdown.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        behind = indent + "  " if line.lstrip().startswith("- ") else indent
        lines += [line] if line.startswith("|") else textwrap.wrap(
            line, WIDTH, subsequent_indent=behind, break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join(lines).strip("\n")


def page_of(command):
    name = f"tcpstorm-{command}.1"
    return name if (GUIDES / f"{name}.md").exists() else "tcpstorm.1"


def link(page, folder):
    name, section = page.rsplit(".", 1)
    path = f"{page}.md" if folder == GUIDES else f"src/man/{page}.md"
    return f"[{name}({section})]({path})"


def commands_of(program):
    """Name and summary, as "tcpstorm --help" lists them."""
    shown = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    listed = re.search(r"^Commands.*?:\n(.*?)\n\n", shown + "\n\n", re.S | re.M).group(1)
    return re.findall(r"^  (\S+) +(.*)$", listed, re.M)


def commands(program, folder):
    rows = [f"| `tcpstorm {name}` | {summary} | {link(page_of(name), folder)} |" for name, summary in commands_of(program)]
    return "\n".join(["| command | what it does | page |", "| --- | --- | --- |", *rows])


def usage_of(program, words):
    """The lines of "Usage:" of a help, but the one that stands for all commands."""
    shown = subprocess.run([program, *words, "--help"], check=True, capture_output=True, text=True).stdout
    lines = re.search(r"^Usage: (.*(?:\n {7}tcpstorm.*)*)", shown, re.M).group(1).split("\n")
    return [line.strip() for line in lines if line.strip() != "tcpstorm COMMAND"]


def synopsis(program, command):
    calls = [[], *([name] for name, _ in commands_of(program))] if command == "all" else [[command]]
    lines = [line for words in calls for line in usage_of(program, words)]
    return "\n".join(["```text", *lines, "```"])


def pages(folder):
    """Every guide with its line of NAME."""
    lines = []
    for path in sorted(GUIDES.glob("*.md"), key=lambda path: (path.stem[-1], path.stem)):
        title = path.read_text().split("\n", 3)[2].split(" - ", 1)[1]
        lines.append(f"- {link(path.stem, folder)}: {title}")
    return "\n".join(lines)


def part(what, program, folder):
    words = what.split()
    if what == "commands":
        return commands(program, folder)
    if what == "pages":
        return wrapped(pages(folder))
    if words[0] == "synopsis":
        return synopsis(program, words[1])
    if words[0] == "options":
        call = ["options", "--markdown"] + [word for word in words[1:] if word != "tcpstorm"]
    elif what in ("orders", "causes"):
        call = [what, "--markdown"]
    elif words[0] == "table":
        call = ["tables", words[1]]
    else:
        raise SystemExit(f"guides.py: nothing is known of \"{what}\"")
    return wrapped(subprocess.run([program, *call], check=True, capture_output=True, text=True).stdout)


def main(arguments):
    check = arguments[:1] == ["--check"]
    (program,) = arguments[check:]
    stale = []
    for path in [ROOT / "README.md", *sorted(GUIDES.glob("*.md"))]:
        text = path.read_text()
        filled = PART.sub(lambda found: f"{found[1]}\n{part(found[2], program, path.parent)}\n\n{found[3]}", text)
        if filled != text:
            stale.append(path)
            if not check:
                path.write_text(filled)
    for path in stale:
        print(f"{path.relative_to(ROOT)}: " + ('is not what the program says: run "make docs"' if check else "rewritten"))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
