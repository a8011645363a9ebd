"""Whether the settings of a receipt's run are those of a profile that is known here.

A receipt is a stranger's: one that says "ci-smoke" may ask for a thousand instances, and one that says "home" for
limits that are never met. Which profile a run had to have only its evaluator knows, who can say it; else the receipt's
name counts, where a profile of that name is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.analysis.agreement import Finding
from harness.errors import ProfileError
from harness.inputs import profiles
from harness.inputs.profiles import DataChoice, Profile
from harness.receipts.receipt import LOCAL, Receipt
from harness.strangers import brief

NAME, SOURCES = "profile", "sources"
_USED = ("size", "threads", "trials", "max_trials", "pairs", "max_pairs", "split")
_ASKED = ("pair_seconds", "memory_pass", "limit_factor")
_MEND = "--profile NAME or FILE.toml says which profile the run had to have"


def compare(receipt: Receipt, due: Profile | None = None) -> Finding:
    """Each setting that is another than those of the profile `due`, or of the installed one of the receipt's name.

    Open where one is, for then the name says little; open too where no profile known here has such settings.
    """
    name, known = brief(receipt.profile.name), _known(receipt, due)
    if known is None:
        mine = ", ".join(f"{key} {brief(str(value))}" for key, value in _settings(receipt).items())
        words = f"no profile known here is {name!r} or has its settings, and nobody here chose them ({mine}); {_MEND}"
        return Finding(name=NAME, state="open", words=words + _cut_words(receipt, due))
    others = list(_others(receipt, known))
    where = "as it was given" if due else "as it is installed here"
    if not others:
        words = f"the receipt says {name}, with the settings of {known.name} {where}"
        return Finding(name=NAME, state="same", words=words)
    words = f"the receipt says {name}, not {known.name} {where}: {', '.join(others)}"
    return Finding(
        name=NAME, state="open", words=words + _cut_words(receipt, due) + ("" if due else f"; {_MEND}")
    )


def compare_sources(
    receipt: Receipt, kind: str, given: tuple[str | None, str | None], due: Profile | None
) -> Finding:
    """Whether data of this `kind` and the model are those of the profile, or of `given` (data, model).

    Whoever writes a receipt could choose them so that the references of its run are poor. Open where one is neither.
    """
    known = _known(receipt, due)
    choice = (known.data if known else {}).get(kind, DataChoice())
    theirs = receipt.settings
    wanted = (
        ("data", given[0], theirs.data, choice.source),
        ("model", given[1], theirs.model, known.model if known else Profile.model_fields["model"].default),
    )
    # A folder of its maker's own is not named in it: a new run asks for yours.
    odd = [
        (name, said)
        for name, mine, said, usual in wanted
        if mine is None and said != usual and said.startswith(("builtin:", "hub:"))
    ]
    if given[0] is None and theirs.data != LOCAL and theirs.columns != choice.columns:
        odd.append(("data", f"{theirs.data} by columns of its own"))
    if odd:
        chosen = " and ".join(f"{name} {brief(said)}" for name, said in odd)
        options = " and ".join(dict.fromkeys(f"--{name}" for name, _ in odd))
        words = f"the receipt says {chosen}, which its maker chose; {options} NAME says which it had to be"
        return Finding(name=SOURCES, state="open", words=words)
    shown = ", ".join(f"{name} {brief(mine or said)}" for name, mine, said, _ in wanted)
    return Finding(name=SOURCES, state="same", words=f"{shown}: as usual here or as you named them")


def bounded(profile: Profile, receipt: Receipt, due: Profile | None = None) -> Profile:
    """The receipt's profile with no more of anything that takes time than the known one: it must not occupy a machine.

    By that one's name where all its settings are the same.
    """
    known, most = _known(receipt, due), _most(receipt, due)
    update: dict[str, Any] = {key: min(getattr(profile, key), value) for key, value in most.items()}
    if known is not None and not any(_others(receipt, known)):
        update["name"] = known.name
    return profile.model_copy(update=update)


def most_trials(receipt: Receipt, due: Profile | None = None) -> int:
    """The most instances that verifying runs: the known profile's, or of any installed one where none is known."""
    return int(_most(receipt, due)["max_trials"])


def other_size(receipt: Receipt, due: Profile | None = None) -> str:
    """Why a run of the receipt's size is none of the known profile; "" where it is one, or no profile is known."""
    known = _known(receipt, due)
    if known is None or known.size == receipt.profile.size:
        return ""
    return f"its size is {brief(receipt.profile.size)}, and that of {known.name} is {known.size}"


def _known(receipt: Receipt, due: Profile | None) -> Profile | None:
    """The profile that a run is held against: `due`, the installed one of its name, or one that has its settings."""
    if due is not None:
        return due
    installed = _installed()
    named = [one for one in installed if one.name == receipt.profile.name]
    alike = (one for one in installed if not any(_others(receipt, one)))
    return named[0] if named else next(alike, None)


def _others(receipt: Receipt, known: Profile) -> Iterator[str]:
    """Each setting of the receipt's that is another than the known profile's, in words."""
    for key, value in _settings(receipt).items():
        mine = getattr(known, key)
        if value != mine and (key, mine) != ("device", "auto"):
            yield f"{key} {brief(str(value))} instead of {mine}"


def _settings(receipt: Receipt) -> dict[str, Any]:
    return {
        **receipt.profile.model_dump(include={*_USED, "device"}),
        **receipt.settings.model_dump(include=set(_ASKED)),
    }


def _most(receipt: Receipt, due: Profile | None) -> dict[str, float]:
    """The most of each setting that takes time; what may grow while a verdict is open counts as grown."""
    known = _known(receipt, due)
    of = [known] if known else _installed()
    trials, pairs = (
        max(getattr(one, key) for one in of for key in (k, f"max_{k}")) for k in ("trials", "pairs")
    )
    most = {key: max(getattr(one, key) for one in of) for key in _ASKED}
    return {"trials": trials, "max_trials": trials, "pairs": pairs, "max_pairs": pairs, **most}


def _cut_words(receipt: Receipt, due: Profile | None) -> str:
    """What the new runs have less of than the receipt asks for, as the end of a sentence."""
    most, asked = _most(receipt, due), _settings(receipt)
    over = {key: value for key, value in most.items() if asked[key] > value}
    words = ""
    if {"trials", "max_trials"} & over.keys():
        words += f"; no more than {most['max_trials']} instances are run"
    if less := [f"{key} {value}" for key, value in over.items() if key not in ("trials", "max_trials")]:
        words += f"; the new runs have {', '.join(less)}"
    return words


def _installed() -> list[Profile]:
    readable = []
    for name in profiles.names():
        try:
            readable.append(profiles.read(name))
        except ProfileError:
            continue
    return readable
