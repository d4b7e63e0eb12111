#!/usr/bin/env python3
"""Types into an interactive shell, and prints the words that the line has when Tab was pressed, one in each line.

    completion.py SHELL SCRIPT PROGRAM DIRECTORY LINE

SCRIPT is what the program generates for SHELL (bash or zsh). What the shell shows meanwhile, such as several candidates, goes to
standard error, word by word.
"""

import os
import pty
import re
import select
import sys
import time

SHELL, SCRIPT, PROGRAM, DIRECTORY, LINE = sys.argv[1:]
END = "@@end@@"


def start():
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(DIRECTORY)
        os.environ.update(PS1="@ ", TERM="dumb", PATH=os.path.dirname(PROGRAM) + ":" + os.environ["PATH"])
        if SHELL == "bash":
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        os.execvp("zsh", ["zsh", "-f", "-i"])
    return pid, terminal


def read_until(terminal, wanted, seconds=20):
    """What is shown up to a match of the regular expression `wanted`, and whatever came with it."""
    text, end = "", time.monotonic() + seconds
    while not re.search(wanted, text, re.S) and time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.1)
        if ready:
            text += os.read(terminal, 65536).decode(errors="replace")
    return text


def main():
    pid, terminal = start()
    setup = {
        "bash": "bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; bind 'set page-completions off'; "
                f"bind 'set completion-query-items 0'; bind 'set show-all-if-ambiguous on'; . '{SCRIPT}'",
        "zsh": f"autoload -U compinit && compinit -u -D; . '{SCRIPT}'; unset zle_bracketed_paste; setopt no_beep; "
               "LISTMAX=100000; PROMPT='@ '",
    }[SHELL]
    os.write(terminal, (setup + f"; echo {END[:4]}''{END[4:]}\n").encode())
    read_until(terminal, END + ".*@ ")
    # The shell takes the keys after Tab when it has completed. The words that it then has, without their quotes, are shown by printf.
    os.write(terminal, (LINE + f"\t\x01printf '<%s>\\n' \x05 {END}\n").encode())
    text = read_until(terminal, f"<{END}>")
    listed = text.split("printf")[0]
    os.write(terminal, b"exit\n")
    os.close(terminal)
    os.waitpid(pid, 0)
    print(*re.findall(r"^<(.*)>\r$", text, re.M)[:-1], sep="\n")
    print(*sorted(set(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x07", "", listed).split())), sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
