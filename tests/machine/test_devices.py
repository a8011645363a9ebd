"""The device of a run and its memory, with a stand-in for NVML that answers as the real one does."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from harness.errors import DeviceError
from harness.machine import devices


@dataclass
class FakeNvml:
    """pynvml's interface over one device, 1,000 bytes of it used by nobody's process."""

    processes: list[tuple[int, int | None]] = field(default_factory=list)
    used: int = 1000
    count: int = 1
    broken: str = ""
    NVMLError = pynvml.NVMLError

    def _maybe_fail(self, name: str) -> None:
        if self.broken == name:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    def nvmlInit(self) -> None:
        self._maybe_fail("init")

    def nvmlDeviceGetCount(self) -> int:
        return self.count

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:
        return number

    def nvmlDeviceGetName(self, handle: int) -> str:
        return f"Fake GPU {handle}"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        self._maybe_fail("memory")
        return SimpleNamespace(used=self.used)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        self._maybe_fail("processes")
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self.processes]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    library = FakeNvml()
    monkeypatch.setattr(devices, "nvml", lambda: library)
    return library


def test_memory_is_that_of_the_workers_own_tree(fake: FakeNvml) -> None:
    reader = devices.reader("cuda")
    assert reader is not None
    fake.processes, fake.used = [(10, 300), (11, 50), (99, 5000)], 6350
    assert reader.used_bytes([10, 11]) == 350
    assert reader.used_bytes([11]) == 50
    assert reader.measured_by == "parent: NVML per process"


def test_in_a_container_the_devices_growth_is_taken_and_said_so(fake: FakeNvml) -> None:
    reader = devices.reader("cuda")
    assert reader is not None
    fake.processes, fake.used = [(70001, 400)], 1400  # the host's process ids
    assert reader.used_bytes([10, 11]) == 400
    assert "exclusive device assumed" in reader.measured_by
    fake.used = 900
    assert reader.used_bytes([10]) == 0


@pytest.mark.parametrize("processes", [[], [(10, None)], [(70001, None)]])
def test_growth_that_no_process_accounts_for_is_not_called_nothing(
    fake: FakeNvml, processes: list[tuple[int, int | None]]
) -> None:
    reader = devices.reader("cuda")
    assert reader is not None
    fake.processes, fake.used = processes, 1750
    assert reader.used_bytes([10, 11]) == 750
    assert "exclusive device assumed" in reader.measured_by


def test_a_worker_without_a_context_is_not_charged_for_another_workers(fake: FakeNvml) -> None:
    reader = devices.reader("cuda")
    assert reader is not None
    assert reader.used_bytes([20]) == 0
    fake.processes, fake.used = [(20, 600)], 1600
    assert reader.used_bytes([20]) == 600
    assert reader.used_bytes([10, 11]) == 0
    fake.processes, fake.used = [], 1000
    assert reader.used_bytes([20]) == 0
    assert reader.measured_by == "parent: NVML per process"


def test_an_idle_device_is_0(fake: FakeNvml) -> None:
    reader = devices.reader("cuda")
    assert reader is not None
    assert reader.used_bytes([10]) == 0


@pytest.mark.parametrize("broken", ["processes", "memory"])
def test_an_error_in_the_middle_is_not_measured_rather_than_0(fake: FakeNvml, broken: str) -> None:
    reader = devices.reader("cuda")
    assert reader is not None
    fake.used, fake.broken = 1400, broken
    assert reader.used_bytes([10]) is None


def test_cuda_without_a_device_is_an_error_and_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in (None, FakeNvml(count=0)):
        monkeypatch.setattr(devices, "nvml", lambda library=library: library)
        with pytest.raises(DeviceError, match="use --device cpu or auto") as caught:
            devices.resolve("cuda")
        assert caught.value.exit_code == 2
        assert devices.resolve("auto") == "cpu"
        assert devices.resolve("cpu") == "cpu"


def test_with_a_device_auto_is_cuda_and_cpu_stays_cpu(fake: FakeNvml) -> None:
    assert [devices.resolve(wanted) for wanted in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
    assert devices.name("cuda") == "Fake GPU 0"
    assert devices.name("cpu") == "cpu"
    assert devices.reader("cpu") is None


def test_no_driver_is_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fails)
    assert devices.nvml() is None
    assert devices.reader("cuda") is None
    assert devices.name("cuda") == "cuda"


@pytest.mark.parametrize(("visible", "index"), [(None, 0), ("3", 3), ("2,0", 2), (" 1 ,2", 1)])
def test_the_device_that_workers_see_first_is_measured(
    fake: FakeNvml, monkeypatch: pytest.MonkeyPatch, visible: str | None, index: int
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.index() == index
    assert devices.name("cuda") == f"Fake GPU {index}"


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_devices_that_are_hidden_are_not_there(
    fake: FakeNvml, monkeypatch: pytest.MonkeyPatch, hidden: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert devices.resolve("auto") == "cpu"
    with pytest.raises(DeviceError, match="shows no NVIDIA GPU"):
        devices.resolve("cuda")
