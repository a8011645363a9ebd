"""Whether a receipt holds: who signed it, whether task and files are still those, and what a new run finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import __version__
from harness.analysis import agreement, intervals
from harness.analysis import fresh as fresh_seed
from harness.analysis.agreement import Finding, Here, State
from harness.analysis.fresh import Draws, Fresh
from harness.digests import of_bytes, of_value
from harness.errors import HarnessError, StoreError, UsageError
from harness.inputs import profiles, submissions, tasks
from harness.inputs.data import sources
from harness.inputs.profiles import Profile
from harness.inputs.submissions import Submission
from harness.inputs.tasks import Task
from harness.machine import devices, fingerprint, lease
from harness.observer import Observer
from harness.readings import FEWEST_PAIRS, Machine
from harness.receipts import receipt as receipts
from harness.receipts import settings as settings_of
from harness.receipts.fresh import fresh_order, published
from harness.receipts.receipt import LOCAL, Receipt
from harness.receipts.signing import KeyRing, Signed, Trust
from harness.records import OURS, Run
from harness.runs import runner
from harness.runs.order import Order, require_known_isolation, with_key
from harness.runs.seeds import root_in, seed_bytes, weakness
from harness.store.results import Store
from harness.strangers import brief

STANDINGS: dict[Trust, str] = {
    "evaluator": "valid, and the key is trusted as an evaluator's",
    "candidate": "valid, and the key is known as a candidate's",
    "unknown": "valid, and nobody here knows the key: anybody could have made it",
    "broken": "broken: what the receipt says is not what was signed",
}


@dataclass(frozen=True, kw_only=True)
class VerifyRequest:
    """The options of `verify`, as typed. `rerun` None: run again where the files are given and the same.

    `same_seed_only` leaves out the run on a fresh seed, `fresh_trials` gives it another number of instances than the
    receipt's profile has. `profile`, a name or a file, is the one that the run had to have.
    """

    receipt: Path
    folder: Path | None = None
    rerun: bool | None = None
    secret_seed_file: Path | None = None
    isolation: str = "auto"
    data: str | None = None
    model: str | None = None
    same_seed_only: bool = False
    fresh_trials: int | None = None
    profile: str | None = None
    tasks_root: Path | None = None


@dataclass(kw_only=True)
class Verified:
    """The outcome of a check. `receipt` is None where it is broken beyond reading.

    `again` is the new run on the receipt's seed, `fresh` what a fresh seed showed; None where nothing was run again.
    """

    standing: Trust
    key_id: str
    receipt: Receipt | None
    official: bool = False
    findings: list[Finding] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    again: Run | None = None
    fresh: Fresh | None = None

    @property
    def verdict(self) -> str:
        """agrees, differs, differs on a fresh seed (and on no other account), or inconclusive."""
        differing = [finding.name for finding in self.findings if finding.state == "differs"]
        if differing:
            on_fresh = all(name.startswith(fresh_seed.NAME) for name in differing)
            return "differs on a fresh seed" if on_fresh else "differs"
        return "inconclusive" if any(f.state == "open" for f in self.findings) else "agrees"

    def add(self, name: str, state: State, words: str) -> None:
        """Adds a finding."""
        self.findings.append(Finding(name=name, state=state, words=words))


def verify(wanted: VerifyRequest, keys: KeyRing, store: Callable[[], Store], observer: Observer) -> Verified:
    """Checks a receipt, and runs the submission again where the caller wants that and it can show something.

    The submission is a stranger's program, so it runs under the strongest isolation of this machine
    unless another is named, whatever isolation the receipt names. Raises UsageError for a wrong call or file.
    """
    require_known_isolation(wanted.isolation)
    if wanted.rerun and wanted.folder is None:
        raise UsageError("--rerun needs DIR, the folder of the submission")
    if wanted.same_seed_only and wanted.fresh_trials is not None:
        raise UsageError("--same-seed-only and --fresh-trials exclude each other; give one of them")
    due = profiles.read(wanted.profile) if wanted.profile is not None else None
    document, receipt = receipts.read(wanted.receipt)
    report = _signature(document, receipt, keys)
    if report.standing == "broken" or receipt is None:
        return report
    task = tasks.all_tasks(wanted.tasks_root).get(receipt.task)
    submission = submissions.read(receipt.task, wanted.folder) if wanted.folder else None
    _inside(report, receipt)
    _task(report, receipt, task)
    _files(report, receipt, submission)
    _place(report, receipt)
    report.findings.append(settings_of.compare(receipt, due))
    if task is not None:
        given = (wanted.data, wanted.model)
        report.findings.append(settings_of.compare_sources(receipt, task.definition.data, given, due))
    root = _root(receipt, wanted.secret_seed_file)
    if receipt.seed is None and root is not None and (weak := weakness(root)):
        report.add(
            "secret", "note", f"it {weak}: whoever has the receipt can guess it, and so know the instances"
        )
    rerun = wanted.folder is not None if wanted.rerun is None else wanted.rerun
    why = _obstacle(report, receipt, root, rerun) if submission else "no DIR was given"
    if not why and task and submission and root is not None:
        order = _order(wanted, receipt, task, submission, root, due)
        why = settings_of.other_size(receipt, due)
    if not why and task and submission and root is not None:
        kept = store()
        report.again = _again(order, kept, observer)
        _compare(report, receipt, report.again, task, lambda: _again(order, kept, observer))
        _fresh(report, receipt, order, wanted, lambda other: _again(other, kept, observer))
    elif report.standing == "evaluator" and not (wanted.rerun or report.verdict == "differs"):
        report.add("new run", "note", f"none: {why}; an evaluator of yours vouches for the result")
    else:
        report.add("new run", "open", f"none: {why}; a signature alone shows no number to be true")
    return report


def _signature(document: Signed, receipt: Receipt | None, keys: KeyRing) -> Verified:
    standing: Trust = keys.standing(document.public) if document.intact else "broken"
    report = Verified(standing=standing, key_id=document.key_id, receipt=receipt)
    words = f"{STANDINGS[standing]} (key {document.key_id})"
    report.add("signature", "differs" if standing == "broken" else "same", words)
    if receipt is None or standing == "broken":
        return report
    report.official = receipts.is_official(receipt, standing == "evaluator")
    if receipt.stamp == "official" and not report.official:
        by = "nobody trusted here as an evaluator signed it"
        why = by if standing != "evaluator" else "its seed, data, isolation or pairs speak against it"
        report.add("stamp", "open", f"NOT official: the receipt claims it, and {why}")
    else:
        report.add("stamp", "note", f"the receipt says {receipt.stamp}")
    return report


def _inside(report: Verified, receipt: Receipt) -> None:
    """Whether the receipt agrees with itself."""
    wrong = agreement.contradictions(receipt.result)
    if receipt.seed is not None and of_bytes(seed_bytes(receipt.seed, None))[:12] != receipt.seed_id:
        wrong.append("its seed is not the one that its seed_id tells of")
    if of_value([[file.path, file.sha256] for file in receipt.files]) != receipt.submission_digest:
        wrong.append("its files are not those of its submission_digest")
    report.official = report.official and not wrong
    for words in wrong:
        report.add("the receipt", "differs", f"contradicts itself: {words}")
    pairs = max(receipt.profile.pairs, receipt.profile.max_pairs)
    if receipt.result.certified and pairs < FEWEST_PAIRS:
        many = f"{pairs} process pair{'s' * (pairs != 1)}"
        words = f"the receipt says that its times are certified, by {many}, and {FEWEST_PAIRS} are needed"
        report.add("pairs", "open", words)


def _task(report: Verified, receipt: Receipt, task: Task | None) -> None:
    if task is None:
        report.add(
            "task", "open", f"there is no task {receipt.task} here; --tasks DIR names a folder with more"
        )
    elif task.digest != receipt.task_digest:
        mine = task.definition.version
        report.add(
            "task",
            "differs",
            f"{receipt.task} is another here: version {mine}, {task.digest[:12]}, "
            f"and {brief(receipt.task_version, 40)}, {brief(receipt.task_digest[:12])} in the receipt",
        )
    else:
        report.add(
            "task", "same", f"{receipt.task}, version {task.definition.version}, {task.digest[:12]}, as here"
        )
    version = receipt.harness_version
    words = f"the receipt says version {brief(version, 40)}, and {__version__} is here"
    report.add("harness", "same" if version == __version__ else "note", words)


def _files(report: Verified, receipt: Receipt, submission: Submission | None) -> None:
    if submission is None:
        report.add("files", "note", "not looked at: no DIR was given")
        return
    was = {file.path: file.sha256 for file in receipt.files}
    now = dict(zip((file.as_posix() for file in submission.files), submission.hashes, strict=True))
    report.changed = sorted(name for name in was.keys() & now.keys() if was[name] != now[name])
    report.added, report.removed = sorted(now.keys() - was.keys()), sorted(was.keys() - now.keys())
    parts = (("changed", report.changed), ("added", report.added), ("removed", report.removed))
    words = [
        f"{what}: {', '.join(map(brief, names[:10]))}{', ...' if len(names) > 10 else ''}"
        for what, names in parts
        if names
    ]
    if words or submission.digest != receipt.submission_digest:
        report.add("files", "differs", "; ".join(words) or "not those that the receipt's digest was taken of")
    else:
        report.add("files", "same", f"all {len(now)} as they were")


def _place(report: Verified, receipt: Receipt) -> None:
    """Findings on the machine (whether absolute values are compared) and on the isolation of the receipt's run."""
    here = fingerprint.fingerprint(receipt.profile.device, receipt.profile.threads)
    if here.id == receipt.machine.id:
        report.add("machine", "same", f"the receipt says this one: {fingerprint.in_words(here)}")
    else:
        theirs = brief(fingerprint.in_words(_shortened(receipt.machine)), 160)
        words = f"another: the receipt says {theirs}; absolute times and sizes are not compared"
        report.add("machine", "note", words)
    held = receipt.isolation
    if held is None:
        report.add("isolation", "note", "the receipt says none")
    else:
        strength = f"{'strong' if held.official else 'not'} enough for an official result"
        refused = (
            f"that {held.promised} of the {held.probes} attacks of its self-test were to be refused, and were"
        )
        refused = refused if held.promised else "that it promises to refuse nothing"
        words = f"the receipt says {brief(held.level, 40)}, {strength}, and {refused}"
        report.add("isolation", "note", words)


def _shortened(theirs: Machine) -> Machine:
    """A stranger's machine with no text in it that fills a line by itself."""
    update = {name: brief(getattr(theirs, name)) for name in ("processor", "system")}
    packages = {name: brief(version, 20) for name, version in theirs.packages.items()}
    return theirs.model_copy(update={**update, "python": brief(theirs.python, 20), "packages": packages})


def _root(receipt: Receipt, secret: Path | None) -> bytes | None:
    """The root of the seeds; None where it is secret and was not given."""
    if receipt.seed is not None:
        if secret is not None:
            raise UsageError("the receipt is of a run with a public seed; leave out --secret-seed-file")
        return seed_bytes(receipt.seed, None)
    if secret is None:
        return None
    root = root_in(secret)
    if of_bytes(root)[:12] != receipt.seed_id:
        raise UsageError(f"{secret} holds another seed than the receipt's run had; give the file of that run")
    return root


def _obstacle(report: Verified, receipt: Receipt, root: bytes | None, rerun: bool) -> str:
    """Why there can be no new run that says anything; empty where there can."""
    states = {f.name: f.state for f in report.findings}
    if not rerun:
        return "it was not asked for"
    if states["task"] != "same":
        return "the task is not the receipt's"
    if states["files"] != "same":
        return "the files are not the receipt's"
    if states.get("the receipt"):
        return "the receipt contradicts itself"
    if receipt.result.outcome in OURS:
        return "the receipt's run failed by the harness's own fault"
    if states.get(settings_of.SOURCES) == "open":  # nothing is fetched that a receipt alone names
        return "its data or its model are the choice of its maker"
    return "" if root is not None else "its seed is secret; --secret-seed-file names the file that holds it"


def _order(
    wanted: VerifyRequest,
    receipt: Receipt,
    task: Task,
    submission: Submission,
    root: bytes,
    due: Profile | None,
) -> Order:
    settings = receipt.settings
    data, model = wanted.data or settings.data, wanted.model or settings.model
    for option, given, text in (("--data", wanted.data, data), ("--model", wanted.model, model)):
        if not given and not text.startswith(("builtin:", "hub:")):
            what = "a folder of its own" if text == LOCAL else "no source that a receipt may name"
            raise UsageError(f"the receipt's run used {what}; {option} names where you have the same")
    spec = sources.parse_data(data)
    profile = receipts.profile_of(receipt).model_copy(update={"isolation": wanted.isolation})
    profile = settings_of.bounded(profile, receipt, due)
    task.size(profile.size)  # raises where the task has no such size, before anything starts
    order = Order(
        task=task,
        submission=submission,
        profile=profile,
        device=devices.resolve(profile.device),
        root=root,
        seed=receipt.seed,
        data=sources.DataSpec(spec.source, spec.name, dict(settings.columns), spec.revision),
        model=sources.parse_model(model),
        against=settings.against,
        anew=True,
        purpose="verify",
    )
    return with_key(order, receipt.worker_key)


def _again(order: Order, store: Store, observer: Observer) -> Run:
    what = f"verify {order.task.id}"
    with lease.measuring(order.task.criteria.is_timed(), order.device, observer.note, what):
        done = runner.run(order, store, observer)
    if done.score is None or done.score.outcome in OURS:
        why = done.score.reasons[0] if done.score and done.score.reasons else "it was not scored"
        raise HarnessError(f"the submission could not be run again: {why}")
    return done


def _compare(report: Verified, receipt: Receipt, done: Run, task: Task, once_more: Callable[[], Run]) -> None:
    """What the new run says of the receipt; where that hangs on how far runs on one seed differ, with one more run."""
    head = done.head
    level = head.isolation.level if head.isolation else head.profile.isolation
    alike = any(f.name == settings_of.NAME and f.state == "same" for f in report.findings)
    which = (
        "same profile and seed"
        if alike
        else "same seed, and the receipt's settings as far as they are allowed"
    )
    words = f"{head.run_id}, {which}, isolation {level}"
    report.add("new run", "note", words)
    mine, theirs = (
        [(s.role, s.digest) for s in one if s.kind != "derived"] for one in (head.sources, receipt.sources)
    )
    if mine != theirs:
        report.add("data", "differs", "the data or models here are not those of the receipt")
        return
    if done.score is not None:
        same = head.machine.id == receipt.machine.id
        same_level = receipt.isolation is None or receipt.isolation.level == level
        here = Here(ladder=done.ladder, repeat=done.score.points_repeat, same_level=same_level)
        values = (receipt.result, agreement.result(done.score), task.criteria, same)
        found = agreement.compare(*values, here)
        alike = same and head.harness_version == receipt.harness_version
        undecided = all(f.state != "differs" for f in found)
        if alike and undecided and agreement.hangs_on_sampling(*values[:3]):
            second = once_more()
            report.add(
                "one more run", "note", f"{second.head.run_id}, to see how far runs on this seed differ"
            )
            if second.score is not None:
                found = agreement.compare(*values, here._replace(second=agreement.result(second.score)))
        report.findings += [*found, *intervals.compare(*values[:3], intervals.Trust(same, alike))]


def _fresh(
    report: Verified, receipt: Receipt, order: Order, wanted: VerifyRequest, run: Callable[[Order], Run]
) -> None:
    """Runs the submission on a fresh secret seed: one that knew the receipt's seed gains nothing there."""
    claimed, again = receipt.result, report.again
    why = ""
    if wanted.same_seed_only:
        why = "--same-seed-only was given, so nothing shows that the submission does not know the receipt's seed"
    elif report.verdict == "differs":
        why = "the receipt differs already"
    elif claimed.points_uncapped is None:
        why = "the receipt claims no points"
    if why or again is None or again.score is None:
        report.fresh = Fresh(state="left out", words=f"left out: {why}")
        report.add(fresh_seed.NAME, "note", report.fresh.words)
        return
    try:
        done = run(fresh_order(order, wanted.fresh_trials))
    except (UsageError, StoreError):
        raise
    except HarnessError as error:  # what was found on the receipt's own seed stands
        report.fresh = Fresh(state="open", words=f"it could not be run on a fresh seed: {error}")
        report.add(fresh_seed.NAME, "open", report.fresh.words)
        return
    if done.score is None:
        raise HarnessError("the submission could not be run on a fresh seed: it was not scored")
    results = fresh_seed.Results(claimed, agreement.result(again.score), agreement.result(done.score))
    same_machine = done.head.machine.id == receipt.machine.id
    criteria = order.task.criteria
    draws = Draws(receipt.profile.trials, len({trial.number for trial in done.trials}))
    spread = published(order, done.head.sources)
    compared = fresh_seed.compare(results, spread, draws, criteria, same_machine)
    report.fresh = compared.model_copy(update={"run": done.head.run_id})
    state: State = "note" if compared.state == "left out" else compared.state
    report.add(fresh_seed.NAME, state, compared.words)
    report.findings += fresh_seed.broken(claimed, results.fresh, criteria, same_machine)
