"""REL-01 for the log: kill -9 in the middle of appends loses nothing that was acknowledged.

Run as a program this file is the one that is killed: it forks an appender per round, so that a
round does not pay for the imports.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.ports import Entry, Position
from dipper.engine.record import RecordKind

ROUNDS = 20
THREADS = 3
SEGMENT_BYTES = 200_000


def payload(round_: int, thread: int, number: int) -> bytes:
    return json.dumps({"round": round_, "thread": thread, "n": number, "x": "y" * 300}).encode()


def open_log(folder: Path) -> EmbeddedLog:
    return EmbeddedLog(folder, 1, segment_bytes=SEGMENT_BYTES, reserve_bytes=1 << 20)


# --- the program that is killed -------------------------------------------------------------


def append_for_ever(folder: Path, round_: int) -> None:
    """Append from several threads; one line out for each acknowledged append."""
    writer = open_log(folder).writer(0)

    def work(thread: int) -> None:
        draw, number = random.Random(f"{round_}.{thread}"), 0
        while True:
            count = draw.choice((1, 1, 1, 20, 200))
            texts = [payload(round_, thread, number + i) for i in range(count)]
            sent = [Entry(RecordKind.EVENT, text) for text in texts]
            if draw.random() < 0.05:
                first = writer.append_now(sent, round_)
            else:
                first = writer.append(sent, round_).result()
            os.write(1, f"{first} {thread} {number} {count}\n".encode())
            if draw.random() < 0.02:
                writer.erase([Position(0, first)]).result()
                os.write(1, f"erased {first}\n".encode())
            number += count

    threads = [threading.Thread(target=work, args=(k,)) for k in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def serve_rounds(folder: Path) -> None:
    """For each line on stdin fork an appender, tell its process id, and wait for its death."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            append_for_ever(folder, int(line))
            os._exit(1)
        os.write(1, f"pid {child}\n".encode())
        os.waitpid(child, 0)
        os.write(1, b"dead\n")


# --- the test -------------------------------------------------------------------------------


class History:
    """What was acknowledged: payload by offset, and the offsets erased."""

    def __init__(self) -> None:
        self.payloads: dict[int, bytes] = {}
        self.erased: set[int] = set()
        self.erasing: set[int] = set()

    def take(self, round_: int, line: str) -> None:
        words = line.split()
        if words[0] == "erased":
            self.erased.add(int(words[1]))
            return
        first, thread, number, count = map(int, words)
        for i in range(count):
            assert first + i not in self.payloads, "an offset was given twice"
            self.payloads[first + i] = payload(round_, thread, number + i)


def kill_in_round(appender: subprocess.Popen[str], round_: int, history: History) -> None:
    source, sink = _pipes(appender)
    sink.write(f"{round_}\n")
    sink.flush()
    child = int(source.readline().split()[1])
    draw = random.Random(round_)
    first = source.readline()
    timer = threading.Timer(draw.uniform(0.0, 0.2), os.kill, (child, signal.SIGKILL))
    timer.start()
    line = first
    while line != "dead\n":
        # A line may be cut by the kill only at its end: what has no newline was not said.
        if line.endswith("\n"):
            history.take(round_, line)
        line = source.readline()
    timer.join()


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdout is not None
    assert process.stdin is not None
    return process.stdout, process.stdin


def check(folder: Path, history: History) -> int:
    """All acknowledged records are there, once and unchanged; gives how many records there are."""
    log = open_log(folder)
    found = [record for batch in log.reader().read_batches(0, 0) for record in batch]
    seen = set()
    for record in found:
        if not record.erased:
            assert record.payload not in seen, "a record is there twice"
            seen.add(record.payload)
    for offset, expected in history.payloads.items():
        record = found[offset]
        assert record.offset == offset
        assert record.erased or record.payload == expected, f"record {offset} is not what was sent"
    for offset in history.erased:
        assert found[offset].erased
    return len(found)


def test_kill_loses_nothing(tmp_path: Path) -> None:
    """20 times killed with -9 at a random moment, the log has each acknowledged record once."""
    command = [sys.executable, __file__, str(tmp_path)]
    history = History()
    begun = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as appender:
        for round_ in range(ROUNDS):
            kill_in_round(appender, round_, history)
        _pipes(appender)[1].close()
    assert time.monotonic() - begun < 120
    with open_log(tmp_path).writer(0) as writer:
        assert writer.opening.after == "process_crash"
        assert writer.opening.lost == 0
        assert writer.records >= len(history.payloads)
    assert check(tmp_path, history) >= len(history.payloads) > ROUNDS
    assert open_log(tmp_path).custodian().verify() == []


if __name__ == "__main__":
    serve_rounds(Path(sys.argv[1]))
