"""main: the command scripts/plot."""

import os

import command

USAGE = """\
Usage: {name} FILE... -o PICTURE.svg|.png|.pdf [--timeline|--histogram|--diagram]

Draws the TCP states in files that tcpstorm wrote. The FILE - is standard input.
Several files are several runs, and so are several orders in one file.

  {name} leak.csv -o leak.svg
      one run: the TCP states of each side over time, with the name of each step,
      the limit of descriptors, and the first failures if there are any
  {name} all.csv -o all.svg
      several runs: small histograms side by side, with a bar for each step and side
  {name} bug.csv fixed.csv --timeline -o twins.svg
      several runs over time; a bug and the same bug "-fixed" have the same scale
  {name} leak.csv --histogram -o leak.png
      one run, with a bar for each step and side
  {name} moves.csv --diagram -o moves.svg
      RFC 9293's state diagram: a box for each state, and an arrow for each transition,
      as wide as its count. Arrows that the RFC does not have are dashed. FILE comes
      from --transitions, or from --json with --witness events. From any other --json,
      or from --csv, only the boxes are filled: how many sockets were in each state.

  -o, --output FILE   the picture; its name ends in its format. - is standard output
  --format FORMAT     svg, png (two dots for each px) or pdf, whatever the name is

These commands write such files:
  tcpstorm --conns 1000 --order all --csv all.csv
  tcpstorm --cause ignore-eof --rate 200 --csv bug.csv
  tcpstorm --witness events --order leak --transitions moves.csv

Exit status: 0 the picture was written, 2 wrong usage or input, 3 this machine cannot
draw or write it.
"""

FORMATS = ("svg", "png", "pdf")


def main(words: list[str]) -> None:
    parser = command.Options(USAGE)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--format", choices=FORMATS)
    for kind in ("timeline", "histogram", "diagram"):
        parser.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind)
    options = parser.parse(words)
    ending = os.path.splitext(options.output)[1].removeprefix(".")
    picture_format = options.format or ("svg" if options.output == "-" else ending)
    if picture_format not in FORMATS:
        parser.error(f"-o {options.output} should end in .svg, .png or .pdf, or --format should say which it is")
    from plot.draw import draw  # which needs matplotlib
    command.publish(options.output, draw(options.files, options.kind, picture_format))
