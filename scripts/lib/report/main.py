"""main: the command scripts/report."""

import command

USAGE = """\
Usage: {name} DIR|FILE... [-o PAGE.html]

Makes one HTML page from files that tcpstorm --json (or --csv) wrote: the verdict of
each run, which side owes a close(), the states over time, what the order does, and
how to repeat the run. The page contains no script, and loads nothing from a network.

  {name} all.json -o all.html
      one order or several, from --json; with --witness events, the page has the state
      diagram too
  {name} run.csv
      pictures only: a --csv has no verdict
  {name} proxy.json
      the table of a proxy, from the --json of "tcpstorm audit --through"
  {name} moves.csv
      the state diagram, from --transitions
  {name} leak.jsonl
      a recording of "tcpstorm watch --record": which connections came, ended and stayed
      on each port, when descriptors run out, and what to do
  {name} results/
      all *.json and *.csv files of tcpstorm in a folder and its subfolders; a CSV next
      to a JSON file of the same name is left out

  -o, --output PAGE   the page; the default is report.html. - is standard output

This command writes such a file:
  tcpstorm --isolate --conns 1000 --order all --json all.json

Exit status: 0 the page was written, 2 wrong usage or input, 3 this machine cannot make
or write it.
"""


def main(words: list[str]) -> None:
    parser = command.Options(USAGE)
    parser.add_argument("inputs", nargs="+", metavar="FILE")
    parser.add_argument("-o", "--output", default="report.html")
    options = parser.parse(words)
    from report.inputs import page_of  # which needs matplotlib and Jinja2
    command.publish(options.output, page_of(options.inputs).encode())
