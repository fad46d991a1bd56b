"""Runs a program that ends with its supervisor: `python -m local.lifeline PROGRAM ARGUMENT...`.

Standard input is a pipe whose other end the supervisor alone holds. It closes when the supervisor
is done with the program, and also when the supervisor is killed. This process becomes the program;
a fork of it watches the pipe. A parent-death signal would need no fork, but it is Linux's alone.
"""

import os
import select
import signal
import sys
import time

GRACE_SECONDS = 15.0
"""How long a program may take to end politely: a worker hands its run back meanwhile."""
_LOOK_SECONDS = 0.5


def main() -> None:
    # Python's descriptors are not inherited by what it executes: the fork alone keeps this one.
    pipe = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    program = os.getpid()
    if os.fork() == 0:
        # The output of the program ends with the program.
        os.dup2(0, 1)
        os.dup2(0, 2)
        _watch(pipe, program)
    os.execvp(sys.argv[1], sys.argv[1:])


def _watch(pipe: int, program: int) -> None:
    """Ask the program to end when the pipe closes; kill what is left of its group."""
    while os.getppid() == program:
        if select.select([pipe], [], [], _LOOK_SECONDS)[0]:
            os.kill(program, signal.SIGTERM)
            break
    deadline = time.monotonic() + GRACE_SECONDS
    while os.getppid() == program and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
