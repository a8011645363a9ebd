"""The verbs of trust: `keys`, this machine's own and those it trusts, and `verify`, which tests a receipt."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import AsJson
from harness.cli.output import print_json, say, write_out
from harness.errors import EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_OK, UsageError

if TYPE_CHECKING:
    from harness.receipts.receipt import Signer
    from harness.receipts.signing import KeyRing, KeyRole
    from harness.receipts.verify import Verified
    from harness.reports.run.receipt import VerifySummary
    from harness.runs.order import Order

Role = Annotated[str, typer.Option("--role", metavar="ROLE", help="evaluator or candidate.")]
SameSeedOnly = Annotated[
    bool, typer.Option("--same-seed-only", help="Leave out the second new run, on a fresh secret seed.")
]
FreshTrials = Annotated[
    int | None,
    typer.Option("--fresh-trials", min=1, help="Instances on the fresh seed; default: the profile's."),
]
VerifyIsolation = Annotated[
    str, typer.Option("--isolation", help="auto (the strongest here), process, confined, bubblewrap.")
]
DueProfile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME|FILE.toml", help="The profile that the run had to have."),
]
keys = typer.Typer(help="This machine's keys, and the keys it trusts.", no_args_is_help=True)


def add(app: typer.Typer) -> None:
    """Registers the verbs."""
    app.add_typer(keys, name="keys")
    app.command("verify")(verify)


def signer(order: Order) -> Signer:
    """The signer of the receipt of a run about to start; raises UsageError if this machine's key cannot be used."""
    from harness.receipts.receipt import Signer

    return Signer(order, _ring())


@keys.command("make")
def make(role: Role = "candidate", as_json: AsJson = False) -> None:
    """Make this machine's key of a role."""
    ring, chosen = _ring(), _role(role)
    key = ring.make(chosen)
    if as_json:
        print_json({"id": key.id, "role": chosen, "public": str(ring.public_file(chosen))})
        return
    say(
        f"Key {key.id}, role {chosen}. Keep {ring.private_file(chosen)} to yourself; no program sends it anywhere."
    )
    say(f"Give others {ring.public_file(chosen)}; they type: harness keys trust FILE --role {chosen}")


@keys.command("secret")
def secret(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make, for --secret-seed-file.")],
    as_json: AsJson = False,
) -> None:
    """Draw a secret seed of 128 bits and keep it in a file that only you can read."""
    from harness.assessment.secret import make_secret

    if file.exists():
        raise UsageError(f"{file} is there already; name another file, or use the secret that it holds")
    try:
        make_secret(file)
    except OSError as error:
        raise UsageError(f"the secret {file} cannot be made: {error.strerror}") from error
    if as_json:
        print_json({"secret": str(file)})
        return
    say(f"{file} holds a secret seed. Whoever has it can draw your instances: keep it to yourself.")


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List this machine's keys and those it trusts."""
    from harness.receipts.signing import ROLES
    from harness.reports.parts import clean

    ring = _ring()
    own = [key for role in ROLES if (key := ring.own(role))]
    trusted = ring.trusted()
    if as_json:
        print_json(
            {
                "own": [{"id": key.id, "role": key.role} for key in own],
                "trusted": [other.model_dump(mode="json") for other in trusted],
            }
        )
        return
    for key in own:
        say(f"{key.id}  {key.role:<10} own")
    for other in trusted:
        say(f"{other.id}  {other.role:<10} trusted  {clean.line(other.name, 60)}".rstrip())
    if not own and not trusted:
        say(
            "No keys yet. The first `harness run` makes one of role candidate; `harness keys make` makes one now."
        )


@keys.command("show")
def show_key(role: Role = "candidate", as_json: AsJson = False) -> None:
    """Print this machine's public key of a role, to give to others."""
    from harness.receipts.signing import public_pem

    chosen = _role(role)
    key = _ring().own(chosen)
    if key is None:
        raise UsageError(f"this machine has no key of role {chosen}; harness keys make --role {chosen}")
    pem = public_pem(key.public).decode()
    if as_json:
        print_json({"id": key.id, "role": chosen, "public_key": key.public.hex(), "pem": pem})
        return
    write_out(pem)


@keys.command("trust")
def trust(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A public key in PEM.")],
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="evaluator or candidate.")],
    name: Annotated[str, typer.Option("--name", help="Whose it is, for the list.")] = "",
    as_json: AsJson = False,
) -> None:
    """Trust a public key as an evaluator's, or know it as a candidate's."""
    key = _ring().trust(file, _role(role), name)
    if as_json:
        print_json(key.model_dump(mode="json"))
        return
    meaning = (
        "its signature can make a result official" if key.role == "evaluator" else "it says who, no more"
    )
    say(f"Key {key.id} is trusted as {key.role}: {meaning}. Compare the id with its owner's by another way.")


@keys.command("forget")
def forget(
    key: Annotated[str, typer.Argument(metavar="ID", help="A key's id, as `harness keys list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Trust a key no more."""
    entry = _ring().forget(key)
    if as_json:
        print_json(entry.model_dump(mode="json"))
        return
    say(f"Key {entry.id} is no longer trusted.")


def verify(
    receipt: Annotated[Path, typer.Argument(metavar="RECEIPT", help="The receipt.json of a run.")],
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="The submission's folder.")] = None,
    rerun: Annotated[
        bool | None, typer.Option("--rerun/--no-rerun", help="Run it again; default: where DIR is as it was.")
    ] = None,
    secret_seed_file: Annotated[
        Path | None, typer.Option("--secret-seed-file", metavar="FILE", help="The run's seed, if secret.")
    ] = None,
    isolation: VerifyIsolation = "auto",
    data: Annotated[
        str | None, typer.Option("--data", help="The run's data, where they are a folder.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The run's model, where it is a folder.")
    ] = None,
    same_seed_only: SameSeedOnly = False,
    fresh_trials: FreshTrials = None,
    profile: DueProfile = None,
    as_json: AsJson = False,
    tasks: Annotated[
        Path | None, typer.Option("--tasks", metavar="DIR", help="A folder with more tasks.")
    ] = None,
) -> None:
    """Test a receipt: who signed it, what changed since, and whether new runs agree, on its seed and on a fresh one.

    Exit codes: 0 it agrees, 1 something differs (on a fresh seed alone, too), was changed, or the signature is
    broken, 2 the call or a file is wrong, 3 inconclusive.
    """
    from harness.cli.progress import Shown
    from harness.receipts.verify import VerifyRequest
    from harness.receipts.verify import verify as run_verify
    from harness.reports.parts import clean
    from harness.store.results import Store, home

    wanted = VerifyRequest(
        receipt=receipt,
        folder=folder,
        rerun=rerun,
        secret_seed_file=secret_seed_file,
        isolation=isolation,
        data=data,
        model=model,
        same_seed_only=same_seed_only,
        fresh_trials=fresh_trials,
        profile=profile,
        tasks_root=tasks,
    )
    try:
        with Shown("verify", quiet=as_json) as shown:
            result = run_verify(wanted, _ring(), lambda: Store.open(home()), shown)
    except UsageError as error:  # it may quote the receipt, which anybody could have written
        raise UsageError(clean.line(str(error), 1000)) from error
    if as_json:
        print_json(_summary(result))
    else:
        _show(result)
    codes = {"agrees": EXIT_OK, "inconclusive": EXIT_INCONCLUSIVE}
    raise typer.Exit(codes.get(result.verdict, EXIT_FAILED))


def _show(result: Verified) -> None:
    from harness.reports.parts import clean

    signed = result.receipt
    if signed is not None and result.standing != "broken":
        say(
            f"The receipt says: run {clean.fitted(signed.run_id, 40)}, {clean.fitted(signed.task, 30)}, "
            f"{clean.fitted(signed.submission, 30)}"
        )
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    marks = {"same": "ok", "differs": "DIFFERS", "open": "open", "note": "note"}
    for one in result.findings:
        # A stranger chose a part of it: what a terminal breaks must not begin like a finding of ours.
        text = f"{marks[one.state]:<9}{clean.fitted(one.name, 60):<36} {clean.line(one.words, 1000)}"
        say(clean.hanging(text, width, 46) if width else text)
    endings = {
        "agrees": "The receipt agrees with what was found here.",
        "differs": "The receipt does NOT agree with what was found here.",
        "differs on a fresh seed": "The receipt agrees on its own seed and does NOT agree on a fresh one: "
        "the submission may know the receipt's instances.",
        "inconclusive": "Inconclusive: nothing speaks against the receipt, and not enough for it.",
    }
    say(endings[result.verdict])
    if result.verdict == "agrees" and result.fresh is not None and result.fresh.state == "left out":
        say("No fresh seed was tried.")


def _summary(result: Verified) -> VerifySummary:
    from harness.reports.run.receipt import FilesSummary, VerifySummary

    signed = result.receipt if result.standing != "broken" else None
    return VerifySummary(
        verdict=result.verdict,
        signature=result.standing,
        key_id=result.key_id,
        official=result.official,
        run_id=signed.run_id if signed else None,
        task=signed.task if signed else None,
        files=FilesSummary(
            changed=tuple(result.changed), added=tuple(result.added), removed=tuple(result.removed)
        ),
        new_run=result.again.head.run_id if result.again else None,
        fresh=result.fresh,
        findings=tuple(result.findings),
    )


def _ring() -> KeyRing:
    from harness.receipts.signing import KeyRing
    from harness.store.results import home

    return KeyRing(home() / "keys")


def _role(text: str) -> KeyRole:
    if text not in ("evaluator", "candidate"):
        raise UsageError(f"--role {text} is not known; give evaluator or candidate")
    return text
