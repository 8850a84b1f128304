# SPDX-License-Identifier: Apache-2.0
"""Processes of this machine, by what Linux tells of them."""

import os
import signal
from pathlib import Path


def parent(process):
    """Returns the parent of a process, or 0."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:  # ended
        return 0
    return int(text.rpartition(")")[2].split()[1])


def state(process):
    """Returns what a process does by its letter of ps: T: stopped; X: it is gone."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return "X"
    return text.rpartition(")")[2].split()[0]


def name(process):
    """Returns what a process is called on its command line."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")[0]
    except OSError:
        return ""


def everyone():
    """Returns the number of each process."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def offspring(process):
    """Returns a process and all that it started, and these."""
    parents = {child: parent(child) for child in everyone()}
    found = [process]
    for one in found:
        found += [child for child, of in parents.items() if of == one]
    return found


def marked(mark):
    """Returns the processes with the entry `mark`, NAME=VALUE, in their environment."""
    found = []
    for process in everyone():
        try:
            entries = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in entries:
            found.append(process)
    return found


def kill(processes):
    """Kills processes, whatever they are at."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


def listening(processes):
    """Returns the addresses on which processes wait for TCP connections, as /proc."""
    sockets = set()
    for process in processes:
        try:
            files = list(Path(f"/proc/{process}/fd").iterdir())
            sockets |= {os.readlink(file) for file in files}
        except OSError:
            continue
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].split(":")[0])
    return found
