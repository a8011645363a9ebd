"""The meter on a made /proc, on the real one beside a spinner, and on a stand-in for NVML."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pynvml
import pytest

from harness.machine import counters, devices
from harness.machine.counters import Gpu, Meter
from harness.measures.conditions import BRAKES, EASINGS, grade_machine, wait_share

HZ = 100
SPIN = "while True: pass"


@dataclass
class Machine:
    """A machine made of files, whose counters a test moves."""

    root: Path
    cores: int = 2

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def thread(self, pid: int, thread: int, spent: tuple[float, float, int], children: str = "") -> None:
        folder = f"proc/{pid}/task/{thread}"
        cpu, wait, switches = spent
        self.write(f"{folder}/schedstat", f"{round(cpu * 1e9)} {round(wait * 1e9)} 17\n")
        self.write(
            f"{folder}/status",
            f"Name:\tnonvoluntary_ctxt_switches:\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t{switches}\n",
        )
        self.write(f"{folder}/children", children)

    def process(self, pid: int, cores: str = "1") -> None:
        self.write(f"proc/{pid}/status", f"Name:\tpython\nCpus_allowed_list:\t{cores}\n")

    def ticks(self, *cores: tuple[int, int]) -> None:
        """For each core: ticks used, and ticks stolen."""
        lines = [f"cpu{i} {used} 0 0 0 0 0 0 {stolen} 40 0" for i, (used, stolen) in enumerate(cores)]
        self.write("proc/stat", "\n".join(["cpu  1 2 3 4 5 6 7 8 9 10", *lines, "intr 1 2 3"]) + "\n")

    def stalled(self, what: str, seconds: float) -> None:
        self.write(
            f"proc/pressure/{what}",
            f"some avg10=0.00 avg60=0.00 avg300=0.00 total={round(seconds * 1e6)}\nfull avg10=0.00 total=0\n",
        )

    def clock(self, core: int, mhz: float) -> None:
        self.write(f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq", f"{mhz * 1000:.0f}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.process(7)
    made.thread(7, 7, (10.0, 1.0, 100))
    made.ticks((1000, 5), (1000, 5))
    return made


def test_a_machine_that_tells_nothing_gives_none_everywhere_and_no_error(tmp_path: Path) -> None:
    read = Meter([7], root=tmp_path).start().stop()
    told = read.model_dump(exclude={"seconds", "device_reasons"})
    assert set(told.values()) == {None}
    assert read.device_reasons == ()
    assert counters.throttled(tmp_path) is None


def test_a_span_lasts_from_its_start_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter((100.0, 102.5))
    monkeypatch.setattr(counters.time, "perf_counter", lambda: next(now))
    assert Meter([7], root=tmp_path).start().stop().seconds == 2.5


def test_workers_are_charged_for_the_span_alone_and_all_their_threads_and_children(machine: Machine) -> None:
    machine.process(8)
    machine.thread(8, 8, (3.0, 0.0, 0))
    machine.thread(7, 7, (10.0, 1.0, 100), children="8 ")
    meter = Meter([7], root=machine.root).start()
    machine.thread(7, 7, (11.0, 1.25, 130), children="8 ")
    machine.thread(7, 9, (0.5, 0.125, 4))  # born in the span: counts from its birth
    machine.thread(8, 8, (3.25, 0.125, 1))
    read = meter.stop()
    assert (read.cpu_seconds, read.wait_seconds, read.preemptions) == (1.75, 0.5, 35)


def test_what_has_ended_loses_nothing_that_was_read(machine: Machine) -> None:
    machine.thread(7, 9, (1.0, 0.0, 0))
    meter = Meter(lambda: [7], root=machine.root).start()
    machine.thread(7, 9, (2.0, 0.5, 3))
    meter.sample()
    for file in (machine.root / "proc/7/task/9").iterdir():
        file.unlink()
    (machine.root / "proc/7/task/9").rmdir()
    machine.thread(7, 7, (11.0, 1.0, 100))
    assert (read := meter.stop()).cpu_seconds == 2.0
    assert (read.wait_seconds, read.preemptions) == (0.5, 3)


def test_a_number_that_went_to_a_new_thread_counts_both(machine: Machine) -> None:
    meter = Meter([7], root=machine.root).start()
    machine.thread(7, 7, (12.0, 1.0, 100))
    meter.sample()
    machine.thread(7, 7, (0.5, 0.0, 2))
    assert (read := meter.stop()).cpu_seconds == 2.5
    assert read.preemptions == 2


def test_with_turns_only_turns_count(machine: Machine) -> None:
    meter = Meter([7], root=machine.root).start()
    machine.thread(7, 7, (10.5, 4.0, 120))  # standing in line to be stopped
    with meter.turn():
        machine.thread(7, 7, (11.5, 4.25, 121))
    machine.thread(7, 7, (11.75, 9.0, 170))
    meter.sample()
    with meter.turn():
        machine.thread(7, 7, (12.75, 9.25, 171))
    machine.thread(7, 7, (14.0, 20.0, 300))
    read = meter.stop()
    assert (read.cpu_seconds, read.wait_seconds, read.preemptions) == (2.0, 0.5, 2)


def test_an_idle_thread_that_waits_behind_its_own_process_is_not_held_up_by_others(machine: Machine) -> None:
    machine.thread(7, 9, (0.25, 3.0, 4))
    meter = Meter([7], root=machine.root).start()
    with meter.turn(7):
        machine.thread(7, 7, (11.0, 1.125, 101))
        machine.thread(7, 9, (0.2505, 3.5, 5))
    read = meter.stop()
    assert (read.cpu_seconds, read.wait_seconds, read.preemptions) == (1.0005, 0.125, 1)


def test_a_worker_in_line_to_be_stopped_is_not_charged_in_anothers_turn(machine: Machine) -> None:
    machine.process(8)
    machine.thread(8, 8, (3.0, 0.0, 0))
    meter = Meter([7, 8], root=machine.root).start()
    with meter.turn(7):
        machine.thread(7, 7, (11.0, 1.125, 100))
        machine.thread(8, 8, (3.0, 5.0, 9))
    with meter.turn(8):
        machine.thread(7, 7, (11.0, 6.0, 109))
        machine.thread(8, 8, (3.5, 5.25, 9))
    read = meter.stop()
    assert (read.cpu_seconds, read.wait_seconds, read.preemptions) == (1.5, 0.375, 0)


def test_a_kernel_that_keeps_no_such_counters_is_not_taken_for_a_quiet_one(machine: Machine) -> None:
    machine.thread(7, 7, (0.0, 0.0, 0))
    read = Meter([7], root=machine.root).start().stop()
    assert (read.cpu_seconds, read.wait_seconds, read.preemptions) == (None, None, None)


def test_a_kernel_without_counts_of_switches_still_tells_waiting(machine: Machine) -> None:
    machine.write("proc/7/task/7/status", "Name:\tpython\n")
    meter = Meter([7], root=machine.root).start()
    machine.write("proc/7/task/7/schedstat", "12000000000 2000000000 4\n")
    read = meter.stop()
    assert (read.cpu_seconds, read.wait_seconds) == (2.0, 1.0)


def test_steal_is_of_the_workers_cores_only(machine: Machine) -> None:
    meter = Meter([7], root=machine.root).start()
    machine.ticks((1000, 905), (1075, 30))
    assert meter.stop().steal_share == 0.25
    machine.process(7, "0-1")
    machine.ticks((1000, 5), (1000, 5))
    meter = Meter([7], root=machine.root).start()
    machine.ticks((1150, 5), (1000, 55))
    assert meter.stop().steal_share == 0.25


def test_pressure_is_a_share_of_the_time(machine: Machine) -> None:
    machine.stalled("cpu", 50.0)
    machine.stalled("memory", 2.0)
    meter = Meter([7], root=machine.root).start()
    machine.stalled("cpu", 53.0)
    read = meter.stop()
    assert read.pressure_cpu_share == pytest.approx(3.0 / read.seconds)
    assert read.pressure_memory_share == 0.0


def test_clocks_are_those_of_the_samples_where_there_are_any(machine: Machine) -> None:
    machine.clock(0, 100)
    machine.clock(1, 800)
    meter = Meter([7], root=machine.root).start()
    read = meter.stop()
    assert (read.mhz_low, read.mhz_high) == (800, 800)
    meter = Meter([7], root=machine.root).start()
    for mhz in (3000, 3200):
        machine.clock(1, mhz)
        meter.sample()
    machine.clock(1, 800)
    read = meter.stop()
    assert (read.mhz_low, read.mhz_high) == (3000, 3200)


def test_a_guests_constant_clock_is_not_told(machine: Machine) -> None:
    block = "processor\t: {}\nflags\t\t: fpu {}\ncpu MHz\t\t: {}\n"
    for flag, told in (("aperfmperf", 2500.5), ("hypervisor", None)):
        machine.write("proc/cpuinfo", block.format(0, flag, 1000) + "\n" + block.format(1, flag, 2500.5))
        assert Meter([7], root=machine.root).start().stop().mhz_high == told


def test_heat_is_summed_over_cores(machine: Machine) -> None:
    folder = "sys/devices/system/cpu/cpu{}/thermal_throttle/core_throttle_count"
    machine.write(folder.format(0), "3\n")
    machine.write(folder.format(1), "4\n")
    assert counters.throttled(machine.root) == 7


# The GPU


@dataclass
class FakeNvml:
    """pynvml's interface over one device."""

    bits: int = 0
    mhz: int = 1900
    celsius: int = 60
    pids: list[int] = field(default_factory=list)
    lacks: tuple[str, ...] = ()
    NVMLError = pynvml.NVMLError
    NVML_CLOCK_SM = pynvml.NVML_CLOCK_SM
    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU

    def _tell(self, name: str, value: Any) -> Any:
        if name in self.lacks:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return value

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:
        return number

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: int) -> int:
        return self._tell("reasons", self.bits)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: int) -> int:
        return self._tell("old reasons", self.bits)

    def nvmlDeviceGetClockInfo(self, handle: int, kind: int) -> int:
        return self._tell("clock", self.mhz)

    def nvmlDeviceGetDefaultApplicationsClock(self, handle: int, kind: int) -> int:
        return self._tell("default", 1980)

    def nvmlDeviceGetMaxClockInfo(self, handle: int, kind: int) -> int:
        return self._tell("max", 2100)

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return self._tell("temperature", self.celsius)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        return self._tell("processes", [SimpleNamespace(pid=pid) for pid in self.pids])


def test_the_gpus_reasons_clocks_heat_and_strangers(machine: Machine) -> None:
    nvml = FakeNvml(pids=[7, 300])
    meter = Meter([7], Gpu(nvml, 0), machine.root).start()
    nvml.bits, nvml.mhz, nvml.celsius = 0x4 | 0x40, 1400, 88
    meter.sample()
    nvml.bits, nvml.mhz, nvml.pids, nvml.celsius = 0, 1900, [7, 300, 301], 70
    meter.sample()
    nvml.bits, nvml.mhz = 0x1, 345  # idle: neither a reason nor a clock of work
    meter.sample()
    read = meter.stop()
    assert read.device_reasons == ("power cap", "hardware thermal slowdown")
    assert (read.device_mhz_low, read.device_mhz_high, read.device_mhz_default) == (1400, 1900, 1980)
    assert (read.device_celsius, read.device_strangers) == (88, 2)


def test_processes_of_our_own_are_no_strangers(machine: Machine) -> None:
    own = os.getpid()
    machine.thread(own, own, (1.0, 0.0, 0), children="55 ")  # a candidate's worker: ours, not a reference's
    machine.thread(55, 55, (1.0, 0.0, 0))
    read = Meter([7], Gpu(FakeNvml(pids=[7, 55]), 0), machine.root).start().stop()
    assert read.device_strangers == 0


@pytest.mark.parametrize("pids", [[], [70001, 70002]])
def test_in_a_container_strangers_are_not_told(machine: Machine, pids: list[int]) -> None:
    assert Meter([7], Gpu(FakeNvml(pids=pids), 0), machine.root).start().stop().device_strangers is None


def test_a_driver_that_tells_nothing_gives_none(machine: Machine) -> None:
    lacks = ("reasons", "old reasons", "clock", "default", "max", "temperature", "processes")
    read = Meter([7], Gpu(FakeNvml(lacks=lacks), 0), machine.root).start().stop()
    told = {name: value for name, value in read.model_dump().items() if name.startswith("device_")}
    assert set(told.values()) == {None, ()}
    older = Gpu(FakeNvml(bits=0x8, lacks=("reasons", "default")), 0)
    read = Meter([7], older, machine.root).start().stop()
    assert (read.device_reasons, read.device_mhz_default) == (("hardware slowdown",), 2100)


def test_reasons_are_nvmls_and_the_grade_knows_the_bad_ones() -> None:
    bits = {
        value
        for name, value in vars(pynvml).items()
        if name.startswith("nvmlClocksEventReason") and value.bit_count() == 1
    }
    assert bits == {counters.IDLE, *(bit for bit, _ in counters.REASONS)}
    assert pynvml.nvmlClocksEventReasonGpuIdle == counters.IDLE
    assert {*BRAKES, *EASINGS} < {name for _, name in counters.REASONS}


def test_no_gpu_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "nvml", lambda: None)
    assert counters.gpu("cuda") is None
    monkeypatch.setattr(devices, "nvml", FakeNvml)
    assert counters.gpu("cpu") is None
    assert counters.gpu("cuda") is not None


# This machine's own kernel

linux = pytest.mark.skipif(
    not Path("/proc/self/schedstat").is_file() or not hasattr(os, "sched_setaffinity"),
    reason="needs Linux with schedstat",
)


@pytest.fixture
def spinner() -> Iterator[subprocess.Popen[bytes]]:
    """A process that never rests, on the core that workers get."""
    process = spin()
    yield process
    process.kill()
    process.wait()


def spin() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
    return process


def worked(process: subprocess.Popen[bytes], seconds: float = 0.1) -> None:
    """Waits until it has been on a core for so long from now on, whoever else wants that core."""
    before, ends = psutil.Process(process.pid).cpu_times().user, time.monotonic() + 120
    while psutil.Process(process.pid).cpu_times().user < before + seconds:
        assert time.monotonic() < ends
        time.sleep(0.01)


@linux
def test_a_busy_stranger_on_the_same_core_shows_as_waiting(spinner: subprocess.Popen[bytes]) -> None:
    measured = spin()
    try:
        worked(spinner)
        worked(measured)
        meter = Meter([measured.pid]).start()
        worked(measured, 0.3)
        read = meter.stop()
    finally:
        measured.kill()
        measured.wait()
    share = wait_share(read)
    assert share is not None
    assert share > 0.2
    assert read.cpu_seconds
    assert grade_machine([read]).grade == "C"


@linux
def test_a_stopped_worker_accrues_nothing() -> None:
    measured = spin()
    try:
        os.kill(measured.pid, 19)
        while (Path("/proc") / str(measured.pid) / "stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.001)
        meter = Meter([measured.pid]).start()
        time.sleep(0.2)
        read = meter.stop()
    finally:
        measured.kill()
        measured.wait()
    assert (read.cpu_seconds, read.wait_seconds) == (0.0, 0.0)


@linux
def test_a_process_that_has_ended_is_no_error() -> None:
    measured = spin()
    try:
        meter = Meter([measured.pid]).start()
        worked(measured)
        meter.sample()
    finally:
        measured.kill()
        measured.wait()
    assert (meter.stop().cpu_seconds or 0.0) > 0.0
