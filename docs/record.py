#!/usr/bin/env python3
"""Records a session in a terminal as a picture: docs/record.py PICTURE COMMAND...

Each command is typed into a shell behind a prompt and runs in a pseudo-terminal of 116 columns; what the terminal then shows becomes lines of
text in an SVG file, light or dark as the reader's system is. README.md shows docs/demo.svg, made in an empty folder by

    docs/record.py docs/demo.svg "diurnal demo" "duckdb -c \"...\""

with the command lines that stand in the picture itself; without commands they are taken from there. A test (tests/docs/) runs the same
commands and compares what they print with the picture.
"""

import fcntl
import html
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios

COLUMNS = 116
FONT_SIZE = 14
LINE_HEIGHT = 17
# The width of a character of the fonts below, as a part of their size.
ASPECT = 0.6021
MARGIN = 20
BAR = 34

STYLE = """
    .paper { fill: #fbfbfd; stroke: #d5d7de; }
    text { fill: #24292f; font: %dpx ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre; }
    .typed { fill: #0b5cad; font-weight: bold; }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #16181d; stroke: #30343d; }
      text { fill: #d6dae1; }
      .typed { fill: #7cb8ff; }
    }""" % FONT_SIZE


def run(command, folder):
    """What a terminal shows of a command, as lines: all that it wrote over is gone."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    environment = dict(os.environ, TERM="xterm", NO_COLOR="1", LC_ALL="C.UTF-8")
    # DuckDB would ask a keyboard for the terminal's colours, and wait for an answer.
    child = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    sent = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # Nobody has the other side any more.
            break
        if not piece:
            break
        sent += piece
    if child.wait() != 0:
        sys.exit(f"record.py: {command}: exit code {child.returncode}\n{sent.decode()}")
    return shown(sent.decode())


def shown(sent):
    """Plays what was sent: carriage returns, the cursor upwards, lines that are cleared. Colours are left out."""
    sent = re.sub(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)", "", sent)
    lines, row, column = [""], 0, 0
    for control, text in re.findall(r"(\x1b\[[0-9;?]*[A-Za-z]|[\r\n])|([^\x1b\r\n]+)", sent):
        if control == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif control == "\r":
            column = 0
        elif control.endswith("K"):
            lines[row] = "" if control[2:-1] == "2" else lines[row][:column]
        elif control.endswith("A"):
            row = max(0, row - int(control[2:-1] or 1))
        else:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
    return [line.rstrip() for line in lines]


def pieces(line):
    """A line as the terminal breaks it."""
    return [line[at : at + COLUMNS] for at in range(0, len(line), COLUMNS)] or [""]


def picture(session):
    """The SVG of lines, each with whether it was typed. A line is one <text>, however often it is broken."""
    drawn, y = [], MARGIN + BAR
    for line, typed in session:
        if not line:
            y += LINE_HEIGHT
            continue
        broken = []
        for piece in pieces(line):
            broken.append(f'<tspan x="{MARGIN}" y="{y}">{html.escape(piece, quote=False)}</tspan>')
            y += LINE_HEIGHT
        mark = ' class="typed"' if typed else ""
        drawn.append(f'  <text{mark} xml:space="preserve">{"".join(broken)}</text>')
    width = round(COLUMNS * FONT_SIZE * ASPECT) + 2 * MARGIN
    height = y - LINE_HEIGHT + MARGIN
    dots = "".join(
        f'<circle cx="{MARGIN + 4 + 18 * n}" cy="20" r="5.5" fill="{fill}"/>'
        for n, fill in enumerate(["#f2655a", "#f4bd4f", "#5cc35b"])
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">\n'
        f"  <title>diurnal demo in a terminal</title>\n"
        f"  <style>{STYLE}\n  </style>\n"
        f'  <rect class="paper" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="9"/>\n'
        f"  {dots}\n" + "\n".join(drawn) + "\n</svg>\n"
    )


def typed_in(path):
    """The commands of a picture."""
    with open(path, encoding="utf-8") as file:
        texts = re.findall(r'<text class="typed"[^>]*>(.*?)</text>', file.read())
    lines = [html.unescape(re.sub("<[^>]*>", "", text)) for text in texts]
    commands = []
    for line in lines:
        if line.startswith("$ "):
            commands.append(line[2:])
        else:
            commands[-1] += "\n" + line
    return commands


def main(target, *commands):
    commands = commands or typed_in(target)
    session = []
    with tempfile.TemporaryDirectory() as folder:
        for command in commands:
            session += [(line, True) for line in f"$ {command}".split("\n")]
            lines = run(command, folder)
            while lines and not lines[-1]:
                lines.pop()
            session += [(line, False) for line in lines] + [("", False)]
    with open(target, "w", encoding="utf-8") as file:
        file.write(picture(session[:-1]))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
