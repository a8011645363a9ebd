"""A slot: one unit after another, answers that nothing can be mistaken for, and an end that leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from harness.assessment.executors import slot

PATIENCE_SECONDS = 60
# A slot whose units are words: what it is told to do instead of measuring, and who lives on after it.
PROGRAM = """
import os, signal, sys, time, types

def do(payload, home, observer):
    if payload == "wait":
        try:
            observer.note("does wait")  # from here on an interrupt finds it inside
            time.sleep(3600)
        finally:
            time.sleep(0.2)
            os.write(2, b"tidied up\\n")
    if payload == "stay":
        signal.signal(signal.SIGINT, lambda *_: None)
    observer.note(f"does {payload}")
    while payload == "stay":
        time.sleep(3600)
    if payload == "print":
        print("this is no answer", flush=True)
        os.write(1, b"and neither is this\\n")
    return payload[::-1] + " in " + home

work = types.ModuleType("harness.assessment.executors.work")
work.do = do
sys.modules[work.__name__] = work
from harness.assessment.executors import slot
slot.GRACE_SECONDS = float(sys.argv[1])
slot.main()
caught = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
time.sleep(0.2)
os.write(2, b"interrupted\\n" if caught else b"undisturbed\\n")
"""


class Talk:
    """A slot, and what is said to it."""

    def __init__(self, log: Path, grace: float) -> None:
        self.log = log.open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(grace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )

    def write(self, content: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def read(self, count: int) -> list[Any]:
        assert self.process.stdout is not None
        return [json.loads(self.process.stdout.readline()) for _ in range(count)]

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ended(self) -> tuple[int, list[str]]:
        """Its exit code and the lines of its log; nothing else was written as an answer."""
        code = self.process.wait(PATIENCE_SECONDS)
        assert self.process.stdout is not None
        assert self.process.stdout.read() == b""
        self.log.seek(0)
        return code, self.log.read().decode().splitlines()


@pytest.fixture
def talk(tmp_path: Path, request: pytest.FixtureRequest) -> Generator[Talk]:
    talk = Talk(tmp_path / "log", getattr(request, "param", 30.0))
    watchdog = threading.Timer(PATIENCE_SECONDS, talk.process.kill)
    watchdog.start()
    yield talk
    watchdog.cancel()
    talk.process.kill()
    talk.process.wait()
    for pipe in (talk.process.stdin, talk.process.stdout, talk.log):
        assert pipe is not None
        pipe.close()


def asked(*payloads: str) -> bytes:
    return b"".join(json.dumps({"payload": p, "home": "h"}).encode() + b"\n" for p in payloads)


def test_units_are_done_in_order_and_what_a_library_prints_is_no_answer(talk: Talk) -> None:
    content = asked("one", "print", "three")
    talk.write(content[:9])
    talk.write(content[9:])
    assert talk.read(6) == [
        {"note": "does one"},
        {"cell": "eno in h"},
        {"note": "does print"},
        {"cell": "tnirp in h"},
        {"note": "does three"},
        {"cell": "eerht in h"},
    ]
    talk.leave()
    assert talk.ended() == (0, ["this is no answer", "and neither is this", "undisturbed"])


def test_an_interrupt_ends_it_and_a_second_one_does_not_cut_the_tidying_up_short(talk: Talk) -> None:
    talk.write(asked("wait"))
    assert talk.read(1) == [{"note": "does wait"}]
    for _ in range(2):
        talk.process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert talk.ended() == (0, ["tidied up", "interrupted"])


def test_the_end_of_its_input_is_an_interrupt_of_what_it_does(talk: Talk) -> None:
    talk.write(asked("wait"))
    assert talk.read(1) == [{"note": "does wait"}]
    talk.leave()
    assert talk.ended() == (0, ["tidied up", "interrupted"])


@pytest.mark.parametrize("talk", [0.2], indirect=True)
def test_what_does_not_heed_an_interrupt_is_killed(talk: Talk) -> None:
    talk.write(asked("stay"))
    assert talk.read(1) == [{"note": "does stay"}]
    talk.leave()
    assert talk.ended()[0] == -signal.SIGKILL


def test_all_of_it_is_within_the_two_seconds_that_an_engine_promises() -> None:
    assert slot.GRACE_SECONDS < 2


def test_what_nobody_foresaw_ends_it_with_a_traceback_for_whoever_started_it() -> None:
    command = [sys.executable, "-I", "-m", "harness.assessment.executors.slot"]
    done = subprocess.run(command, input=b"this is no request\n", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"JSONDecodeError" in done.stderr
