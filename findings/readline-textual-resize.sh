#!/bin/sh
# A program that only imports Python's readline module changes what its children do when their terminal is resized. GNU readline,
# when it is initialised with a terminal on stdin, calls setenv("COLUMNS") and setenv("LINES"). os.environ does not show
# them, since Python copied the environment before, yet every child without an environment of its own inherits them. Textual
# asks shutil.get_terminal_size(), which takes both before it asks the terminal: the child's screen keeps its first size for ever.
# Needs a Python whose readline is GNU's. Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet textual==8.2.8
cat >"$folder/child.py" <<'PYTHON'
import sys

from textual.app import App


class Sizes(App):
    def on_mount(self):
        self.set_interval(0.1, self.note)

    def note(self):
        with open(sys.argv[1], "w") as file:
            file.write(f"{self.size.width}x{self.size.height}")


Sizes().run()
PYTHON
cat >"$folder/parent.py" <<'PYTHON'
import os
import subprocess
import sys

if sys.argv[1] == "readline":
    import readline  # nothing of it is used
print("shown by os.environ:", {"COLUMNS", "LINES"} & set(os.environ) or "neither", file=sys.stderr)
subprocess.run([sys.executable, sys.argv[2], sys.argv[3]])
PYTHON
env -u COLUMNS -u LINES "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import fcntl
import os
import pathlib
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from importlib.metadata import version

folder = pathlib.Path(sys.argv[1])
which = [sys.executable, "-c", "import readline; print(readline._READLINE_LIBRARY_VERSION)"]  # not here: it would reach all children
library = subprocess.run(which, capture_output=True, text=True).stdout.strip()
print("Python", sys.version.split()[0], "readline", library, "Textual", version("textual"))


def resized(how):
    """What the child says of its size before and after its terminal was made smaller."""
    told = folder / f"{how}.txt"
    child, master = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        os.execv(sys.executable, [sys.executable, str(folder / "parent.py"), how, str(folder / "child.py"), str(told)])

    def drain():
        try:
            while os.read(master, 65536):
                pass
        except OSError:
            pass

    threading.Thread(target=drain, daemon=True).start()
    sizes = []
    for size in ((30, 100), (20, 60)):
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        deadline = time.monotonic() + (20 if not sizes else 5)
        while time.monotonic() < deadline:
            time.sleep(0.2)
            text = told.read_text() if told.exists() else ""
            if text == f"{size[1]}x{size[0]}":
                break
        sizes.append(text)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return sizes


plain, after = resized("plain"), resized("readline")
print("terminal made smaller, from 100x30 to 60x20; the child saw", plain)
print("the same, from a parent that imported readline:           ", after)
sys.exit(0 if plain == ["100x30", "60x20"] and after == ["100x30", "100x30"] else 1)
PYTHON
