"""The verbs of trust: `keys`, this machine's own and those it trusts, and `verify`, which tests a receipt."""

from __future__ import annotations

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
    from harness.runs.order import Order

Role = Annotated[str, typer.Option("--role", metavar="ROLE", help="evaluator or candidate.")]
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
    isolation: Annotated[
        str, typer.Option("--isolation", help="auto (the strongest here), process, confined, bubblewrap.")
    ] = "auto",
    data: Annotated[
        str | None, typer.Option("--data", help="The run's data, where they are a folder.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The run's model, where it is a folder.")
    ] = None,
    as_json: AsJson = False,
    tasks: Annotated[
        Path | None, typer.Option("--tasks", metavar="DIR", help="A folder with more tasks.")
    ] = None,
) -> None:
    """Test a receipt: who signed it, what changed since, and whether a new run agrees.

    Exit codes: 0 it agrees, 1 something differs, was changed, or the signature is broken, 2 the call or a
    file is wrong, 3 inconclusive.
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
        tasks_root=tasks,
    )
    try:
        with Shown("verify", quiet=as_json) as shown:
            result = run_verify(wanted, _ring(), lambda: Store.open(home()), shown)
    except UsageError as error:  # it may quote the receipt, which anybody could have written
        raise UsageError(clean.line(str(error), 1000)) from error
    if as_json:
        print_json(_as_json(result))
    else:
        _show(result)
    codes = {"agrees": EXIT_OK, "differs": EXIT_FAILED, "inconclusive": EXIT_INCONCLUSIVE}
    raise typer.Exit(codes[result.verdict])


def _show(result: Verified) -> None:
    from harness.reports.parts import clean

    signed = result.receipt
    if signed is not None and result.standing != "broken":
        say(
            f"Receipt of run {clean.line(signed.run_id, 60)}: {signed.task}, {clean.line(signed.submission, 64)}"
        )
    marks = {"same": "ok", "differs": "DIFFERS", "open": "open", "note": "note"}
    for one in result.findings:
        say(f"{marks[one.state]:<9}{clean.line(one.name, 60):<36} {clean.line(one.words)}")
    endings = {
        "agrees": "The receipt agrees with what was found here.",
        "differs": "The receipt does NOT agree with what was found here.",
        "inconclusive": "Inconclusive: nothing speaks against the receipt, and not enough for it.",
    }
    say(endings[result.verdict])


def _as_json(result: Verified) -> dict[str, object]:
    signed = result.receipt if result.standing != "broken" else None
    return {
        "verdict": result.verdict,
        "signature": result.standing,
        "key_id": result.key_id,
        "official": result.official,
        "run_id": signed.run_id if signed else None,
        "task": signed.task if signed else None,
        "files": {"changed": result.changed, "added": result.added, "removed": result.removed},
        "new_run": result.again.head.run_id if result.again else None,
        "findings": [one.model_dump(mode="json") for one in result.findings],
    }


def _ring() -> KeyRing:
    from harness.receipts.signing import KeyRing
    from harness.store.results import home

    return KeyRing(home() / "keys")


def _role(text: str) -> KeyRole:
    if text not in ("evaluator", "candidate"):
        raise UsageError(f"--role {text} is not known; give evaluator or candidate")
    return text
