"""toy-dialogue: the parent holds a number and answers guesses; a judge of the task's own reads the note."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.errors import Fault
from harness.instances import (
    Answer,
    ArraySpec,
    BlobSpec,
    Evaluation,
    FromAnswers,
    FromItem,
    Instance,
    Request,
    Stage,
    Workbench,
)
from harness.records import Measurement, Series


def prepare(workbench: Workbench) -> Instance:
    """A number drawn by seed; each turn is told how the guess before it was."""
    most, turns = int(workbench.size["most"]), int(workbench.size["turns"])
    number = int(workbench.rng("number").integers(most // 2, most))
    guesses = ArraySpec("int64", (1,), low=0, high=most)

    def reply(turn: int, answers: Mapping[str, Answer]) -> np.ndarray:
        if turn == 0:
            return np.array([-1], dtype=np.int64)
        return np.sign(np.asarray(answers[f"guess-{turn - 1}"]) - number)

    guessing = [
        Request(
            f"guess-{turn}",
            "guess",
            {"most": most, "told": FromAnswers(f"told-{turn}", lambda a, turn=turn: reply(turn, a))},
            guesses,
        )
        for turn in range(turns)
    ]
    note = Request("note", "note", {}, BlobSpec(64))
    read = Request("read", "read", {"note": FromItem("note")}, ArraySpec("int64", (1,)))
    return Instance(
        (Stage("play", (*guessing, note)), Stage("judge", (read,), judge="judge")),
        {"number": number, "turns": turns},
    )


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """How many guesses it took, and whether the judge read the right number."""
    number, turns = instance.hidden["number"], instance.hidden["turns"]
    said = [int(np.asarray(answers[f"guess-{turn}"])[0]) for turn in range(turns)]
    if number not in said:
        raise Fault("wrong", f"the number was not among {turns} guesses")
    asked, right = float(said.index(number) + 1), float(int(np.asarray(answers["read"])[0]) == number)
    return Evaluation(
        (
            Measurement(name="asked", unit="", direction="lower", value=asked, low=asked, high=asked),
            Measurement(name="note_right", unit="", direction="higher", value=right, low=right, high=right),
        )
    )


def conclude(instance: Instance, measurements: Mapping[str, Measurement]) -> Evaluation:
    """Seconds of all guesses by the number of turns, from the parent's clock."""
    seconds = measurements["guess_seconds"].value or 0.0
    each = seconds / instance.hidden["turns"]
    series = Series(name="seconds", x_label="turns", y_label="seconds", x=(1.0, 2.0), y=(each, 2 * each))
    made = Measurement(name="turn_seconds", unit="s", direction="lower", value=each)
    return Evaluation((made,), (series,))
