"""What a box shows and under which names, read off its order; no box is made."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import SandboxFailed
from harness.isolation import hiding
from harness.isolation.box import boxes
from harness.isolation.box.boxes import Box, arguments, box_for, sources, worker_environment
from tests.isolation.doubles import order

GIB = 1 << 30
VERSION = SimpleNamespace(major=3, minor=11)


class Installed:
    """A Python at `base`, with an environment at `prefix`, and our package in that one's library."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, base: Path, prefix: Path) -> None:
        self.base, self.prefix = base, prefix
        self.package = prefix / "lib" / "python3.11" / "site-packages" / "harness"
        self.pth: dict[Path, list[Path]] = {}
        for folder in (base / "bin", base / "lib", self.package, prefix / "share"):
            folder.mkdir(parents=True, exist_ok=True)
        (prefix / "pyvenv.cfg").write_text("home = /secret/bin\ninclude-system-site-packages = true\n")
        fake = SimpleNamespace(
            base_prefix=str(base), prefix=str(prefix), version_info=VERSION, executable="/no/python"
        )
        monkeypatch.setattr(boxes, "sys", fake)
        monkeypatch.setattr(boxes, "_base_python", lambda: base / "bin" / "python3.11")
        monkeypatch.setattr(boxes, "PACKAGE", self.package)
        monkeypatch.setattr(hiding, "PACKAGE", self.package)
        monkeypatch.setattr(boxes, "path_files", lambda: self.pth)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    return Installed(monkeypatch, tmp_path / "python", tmp_path / "venv")


def contents(box: Box) -> dict[str, str]:
    return {name: content.decode() for content, name in box.contents}


def test_an_environment_is_shown_as_venv_and_its_python_as_python(
    installed: Installed, tmp_path: Path
) -> None:
    (installed.prefix / "lib64").symlink_to("lib")
    box = box_for(order(tmp_path))
    assert box.python == "/venv/bin/python"
    shown = {name: (source, missing) for source, name, missing in box.mounts}
    assert shown["/python"] == (str(installed.base), False)
    assert shown["/venv/lib"] == (str(installed.prefix / "lib"), False)
    assert shown["/venv/share"] == (str(installed.prefix / "share"), True)
    assert shown["/venv/include"][1] is True
    assert shown["/harness/harness/worker"] == (str(installed.package / "worker"), False)
    assert shown["/harness/harness/__init__.py"] == (str(installed.package / "__init__.py"), False)
    links = {tuple(box.options[i + 1 : i + 3]) for i, word in enumerate(box.options) if word == "--symlink"}
    pythons = {
        ("/python/bin/python3.11", f"/venv/bin/{name}") for name in ("python", "python3", "python3.11")
    }
    assert pythons | {("lib", "/venv/lib64")} <= links
    assert contents(box)["/venv/pyvenv.cfg"] == "home = /python/bin\ninclude-system-site-packages = true\n"
    assert box.places == {}  # its workers' own folders are each worker's


def test_our_package_in_the_environments_library_is_covered(installed: Installed, tmp_path: Path) -> None:
    inside = "/venv/lib/python3.11/site-packages"
    assert box_for(order(tmp_path)).covers == [(f"{inside}/harness", 4096)]
    (installed.package.parent / "harness_pack").mkdir()
    assert box_for(order(tmp_path)).covers == [(f"{inside}/harness", 4096), (f"{inside}/harness_pack", 4096)]


def test_without_an_environment_python_is_shown_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Installed(monkeypatch, tmp_path / "python", tmp_path / "python")
    box = box_for(order(tmp_path))
    assert box.python == "/python/bin/python3.11"
    assert not [name for _, name, _ in box.mounts if name.startswith("/venv")]
    assert not [word for word in box.options if word.startswith("/venv")]
    assert box.covers == [("/python/lib/python3.11/site-packages/harness", 4096)]


def test_the_systems_python_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Installed(monkeypatch, tmp_path / "python", tmp_path / "python")
    boxes.sys.__dict__.update(base_prefix="/usr", prefix="/usr")
    monkeypatch.setattr(boxes, "_base_python", lambda: Path("/usr/bin/python3.11"))
    box = box_for(order(tmp_path))
    assert box.python == "/usr/bin/python3.11"
    assert "/python" not in {name for _, name, _ in box.mounts}


def test_a_python_outside_its_own_prefix_cannot_be_shown(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boxes, "_base_python", lambda: Path("/elsewhere/python"))
    with pytest.raises(SandboxFailed, match="/elsewhere/python lies outside its own prefix"):
        box_for(order(tmp_path))


def test_folders_that_path_files_add_are_shown_and_named_to_python(
    installed: Installed, tmp_path: Path
) -> None:
    packages = installed.prefix / "lib" / "python3.11" / "site-packages"
    installed.pth = {
        packages / "two.pth": [tmp_path / "a", tmp_path / "b"],
        packages / "none.pth": [],
        tmp_path / "elsewhere.pth": [tmp_path / "c"],
    }
    box = box_for(order(tmp_path))
    shown = {name: source for source, name, _ in box.mounts if name.startswith("/packages")}
    names = ["/packages/0-0/site-packages", "/packages/0-1/site-packages", "/packages/2-0/site-packages"]
    assert shown == dict(zip(names, (str(tmp_path / name) for name in "abc"), strict=True))
    texts = {name: text for name, text in contents(box).items() if name.endswith(".pth")}
    inside = "/venv/lib/python3.11/site-packages"
    assert texts == {f"{inside}/two.pth": f"{names[0]}\n{names[1]}\n"}


def test_the_systems_folders_are_shown_as_they_are(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root" / "sbin").mkdir(parents=True)
    (tmp_path / "root" / "bin").symlink_to("usr/bin")

    def path(*parts: Any) -> Path:
        return tmp_path / "root" / parts[1] if parts[0] == "/" else Path(*parts)

    monkeypatch.setattr(boxes, "Path", path)
    monkeypatch.setattr(boxes, "_OPTIONAL", (str(tmp_path / "root"), "/no/such/file"))
    box = box_for(order(tmp_path))
    top = tmp_path / "root"
    assert box.options[:3] == ["--symlink", "usr/bin", str(top / "bin")]
    system = [mount for mount in box.mounts if mount[0].startswith((str(top), "/usr", "/no"))]
    assert system == [
        ("/usr", "/usr", False),
        (str(top / "sbin"), str(top / "sbin"), False),
        (str(top), str(top), True),
        ("/no/such/file", "/no/such/file", True),
    ]
    assert "/no/such/file" not in sources(box)
    assert {"/usr", str(top), str(top / "sbin")} < set(sources(box))


def test_what_a_worker_is_given_is_shown_by_number_and_a_hubs_cache_file_by_file(
    installed: Installed, tmp_path: Path
) -> None:
    for folder in ("plain/deep", "model/deep"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("plain/deep/a", "blob", "contract.py", "model/b"):
        (tmp_path / file).touch()
    (tmp_path / "model" / "deep" / "weights").symlink_to(tmp_path / "blob")
    given = tuple(tmp_path / name for name in ("plain", "model", "contract.py"))
    box = box_for(order(tmp_path, readable=given))
    shown = [(source, name) for source, name, _ in box.mounts if name.startswith("/given")]
    assert shown == [
        (str(tmp_path / "plain"), "/given/0/plain"),
        (str(tmp_path / "model" / "b"), "/given/1/model/b"),
        (str(tmp_path / "blob"), "/given/1/model/deep/weights"),
        (str(tmp_path / "contract.py"), "/given/2/contract.py"),
    ]
    names = [box.places[path] for path in given]
    assert names == ["/given/0/plain", "/given/1/model", "/given/2/contract.py"]


def pairs(words: list[str], option: str) -> list[tuple[str, str]]:
    return [(words[i + 1], words[i + 2]) for i, word in enumerate(words) if word == option]


def after(words: list[str], *part: str) -> list[str]:
    """The words behind this part."""
    place = next(i for i in range(len(words)) if tuple(words[i : i + len(part)]) == part)
    return words[place + len(part) :]


def test_the_arguments_of_bwrap_leave_nothing_of_the_outside(tmp_path: Path) -> None:
    box = Box(options=["--symlink", "usr/bin", "/bin"], covers=[("/venv/lib/harness", 4096)])
    box.show("/no/such/needed", "/needed")  # bwrap shall refuse it, and name it
    box.show("/no/such/optional", "/optional", missing=True)
    box.show(tmp_path, "/there", missing=True)
    box.contents += [(b"one", "/etc/one"), (b"two", "/etc/two")]
    words = arguments(box, order(tmp_path, threads=2), {str(tmp_path): "/renamed"}, [7, 8])
    assert words[:6] == [
        "--unshare-all",
        "--unshare-user",
        "--disable-userns",
        "--die-with-parent",
        "--new-session",
        "--clearenv",
    ]
    assert words[6:18] == [
        *("--uid", "1000", "--gid", "1000", "--hostname", "box"),
        *("--cap-add", "CAP_SYS_ADMIN", "--proc", "/proc", "--dev", "/dev"),
    ]
    disks = (("/dev/shm", GIB), ("/tmp", GIB), ("/box", 4 * GIB))
    due = [word for disk, size in disks for word in ("--size", str(size), "--tmpfs", disk)]
    assert words[18 : 18 + len(due)] == due
    assert pairs(words, "--symlink") == [("usr/bin", "/bin")]
    assert pairs(words, "--ro-bind") == [("/no/such/needed", "/needed"), ("/renamed", "/there")]
    assert pairs(words, "--ro-bind-data") == [("7", "/etc/one"), ("8", "/etc/two")]
    cover = ("--size", "4096", "--tmpfs", "/venv/lib/harness", "--remount-ro", "/venv/lib/harness")
    assert after(words, *cover)[0] == "--setenv"
    variables = dict(pairs(words, "--setenv"))
    assert (variables["HARNESS_BOXED"], variables["HOME"], variables["OMP_NUM_THREADS"]) == (
        "1",
        "/box/zygote",
        "2",
    )
    assert words[-6:] == ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/box"]
    assert "--dev-bind" not in words


def test_a_box_with_a_gpu_has_its_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxes, "cuda_devices", lambda: ["/dev/nvidia0", "/dev/nvidiactl"])
    words = arguments(Box(), order(tmp_path, device="cuda"), {}, [])
    assert pairs(words, "--ro-bind") == [("/sys", "/sys")]
    assert pairs(words, "--dev-bind") == [(f"/dev/{n}", f"/dev/{n}") for n in ("nvidia0", "nvidiactl")]


@pytest.mark.parametrize(
    ("libraries", "shared", "base", "inside"),
    [
        (None, 0, "/opt/python", None),
        (None, 1, "/usr", None),
        (None, 1, "/opt/python", "/python/lib"),
        ("/usr/local/cuda/lib:/srv/me/lib:/lib/x", 0, "/usr", "/usr/local/cuda/lib:/lib/x"),
        ("/srv/me/lib", 0, "/usr", None),
        ("/usr/lib", 1, "/opt/python", "/usr/lib:/python/lib"),
    ],
)
def test_a_boxed_worker_is_told_of_no_place_outside(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    libraries: str | None,
    shared: int,
    base: str,
    inside: str | None,
) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    if libraries is not None:
        monkeypatch.setenv("LD_LIBRARY_PATH", libraries)
    monkeypatch.setenv("PATH", "/srv/me/bin")
    settings = {"Py_ENABLE_SHARED": shared}
    monkeypatch.setattr(boxes, "sysconfig", SimpleNamespace(get_config_var=settings.__getitem__))
    monkeypatch.setattr(boxes, "sys", SimpleNamespace(base_prefix=base))
    variables = worker_environment(order(tmp_path))
    assert variables.get("LD_LIBRARY_PATH") == inside
    assert (variables["HOME"], variables["TMPDIR"], variables["USER"]) == ("/box", "/box/scratch", "box")
    assert variables["PATH"] == "/venv/bin:/python/bin:/usr/local/bin:/usr/bin:/bin"
    assert not [value for value in variables.values() if "/srv/me" in value or str(tmp_path) in value]


def test_the_box_runs_our_zygote_in_its_own_python() -> None:
    words = boxes.zygote_command(Box(python="/venv/bin/python"), 5, ("numpy", "json"))
    assert words[:5] == ["/venv/bin/python", "-I", "-P", "-u", "-c"]
    assert "sys.path.insert(0, '/harness')" in words[5]
    assert words[6:] == ["5", "numpy", "json"]
