"""The filter of system calls, run call by call: against the kernel's own numbers, which are written down here again.

The table below was made from the kernel's headers (x86_64: asm/unistd_64.h, aarch64: asm-generic/unistd.h) and
held against libseccomp's, not against `worker.syscalls`: one digit wrong there opens a call and shuts another.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from harness.worker import syscalls

# Name, number on x86_64, number on aarch64; "-" where it has no such call.
KERNEL = """
ioctl 16 29
shmget 29 194
shmat 30 196
shmctl 31 195
socket 41 198
socketpair 53 199
clone 56 220
semget 64 190
semop 65 193
semctl 66 191
msgget 68 186
msgsnd 69 189
msgrcv 70 188
msgctl 71 187
ptrace 101 117
syslog 103 116
personality 135 92
setpriority 141 140
sched_setparam 142 118
sched_setscheduler 144 119
vhangup 153 58
modify_ldt 154 -
pivot_root 155 41
adjtimex 159 171
chroot 161 51
acct 163 89
settimeofday 164 170
mount 165 40
umount2 166 39
swapon 167 224
swapoff 168 225
reboot 169 142
sethostname 170 161
setdomainname 171 162
iopl 172 -
ioperm 173 -
init_module 175 105
delete_module 176 106
quotactl 179 60
sched_setaffinity 203 122
semtimedop 220 192
clock_settime 227 112
mq_open 240 180
mq_unlink 241 181
kexec_load 246 104
add_key 248 217
request_key 249 218
keyctl 250 219
ioprio_set 251 30
unshare 272 97
perf_event_open 298 241
fanotify_init 300 262
prlimit64 302 261
name_to_handle_at 303 264
open_by_handle_at 304 265
clock_adjtime 305 266
setns 308 268
process_vm_readv 310 270
process_vm_writev 311 271
kcmp 312 272
finit_module 313 273
sched_setattr 314 274
kexec_file_load 320 294
bpf 321 280
userfaultfd 323 282
pidfd_send_signal 424 424
io_uring_setup 425 425
io_uring_enter 426 426
io_uring_register 427 427
open_tree 428 428
move_mount 429 429
fsopen 430 430
fsconfig 431 431
fsmount 432 432
fspick 433 433
pidfd_open 434 434
clone3 435 435
pidfd_getfd 438 438
process_madvise 440 440
mount_setattr 442 442
quotactl_fd 443 443
memfd_secret 447 447
timer_create 222 107
timer_settime 223 110
signalfd 282 -
signalfd4 289 74
timerfd_create 283 85
process_mrelease 448 448
statmount 457 457
listmount 458 458
open_tree_attr 467 467
listns 470 470
setxattr 188 5
lsetxattr 189 6
fsetxattr 190 7
removexattr 197 14
lremovexattr 198 15
fremovexattr 199 16
setxattrat 463 463
removexattrat 466 466
mincore 27 232
cachestat 451 451
readahead 187 213
io_submit 209 2
fadvise64 221 223
madvise 28 233
preadv2 327 286
pwritev2 328 287
io_setup 206 0
io_destroy 207 1
io_getevents 208 4
io_cancel 210 3
io_pgetevents 333 292
inotify_init 253 -
inotify_init1 294 26
inotify_add_watch 254 27
ustat 136 -
migrate_pages 256 238
move_pages 279 239
fcntl 72 25
getsockopt 55 209
setsockopt 54 208
kill 62 129
tkill 200 130
tgkill 234 131
rt_sigqueueinfo 129 138
rt_tgsigqueueinfo 297 240
prctl 157 167
"""
NUMBERS = {name: (x86, arm) for name, x86, arm in (line.split() for line in KERNEL.strip().splitlines())}
# The headers of this machine, where they are installed, and the column that each is about.
HEADERS = {
    0: ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    1: ("/usr/include/asm-generic/unistd.h",),
}
# As the kernel tells a filter of them (linux/audit.h).
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMNS = {"x86_64": 0, "aarch64": 1}
OTHERS = {"i386": 0x40000003, "arm": 0x40000028, "riscv64": 0xC00000F3}
ALLOWED, KILLED, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
# Calls whose arguments decide: tried one by one below.
BY_ARGUMENT = (
    "prlimit64",
    "sched_setscheduler",
    "sched_setparam",
    "sched_setattr",
    "sched_setaffinity",
    "setpriority",
    "personality",
    "socket",
    "socketpair",
    "ioctl",
    "clone",
    "fadvise64",
    "madvise",
    "preadv2",
    "pwritev2",
    "fcntl",
    "getsockopt",
    "setsockopt",
    "kill",
    "tkill",
    "tgkill",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "prctl",
)
NEWEST = 470
machines = pytest.mark.parametrize("machine", list(ARCHITECTURES))


def number_of(name: str, machine: str) -> int:
    return int(NUMBERS[name][COLUMNS[machine]])


def judged(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """What the kernel would answer: classic BPF over its `struct seccomp_data`, as far as a filter needs it."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    lines = list(struct.iter_unpack("<HBBI", program))
    place = held = 0
    while True:
        code, yes, no, value = lines[place]
        place += 1
        assert code in (0x15, 0x35, 0x45) or (yes, no) == (0, 0)  # only these are jumps
        if code == 0x20:
            held = struct.unpack_from("<I", data, value)[0]
        elif code == 0x54:
            held &= value
        elif code == 0x06:
            return int(value)
        else:
            holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            place += yes if holds else no


class Filter:
    """The filter of one kind of machine, asked by a call's name."""

    def __init__(self, machine: str, affinity: bool = True) -> None:
        self.machine = machine
        self.program = syscalls.program(affinity, machine)

    def of(self, name: str, *arguments: int) -> int:
        return self.numbered(number_of(name, self.machine), *arguments)

    def numbered(self, number: int, *arguments: int) -> int:
        return judged(self.program, ARCHITECTURES[self.machine], number, *arguments)


@pytest.mark.parametrize("column", [0, 1])
def test_the_numbers_written_down_here_are_those_of_the_kernels_headers(column: int) -> None:
    found = next((Path(file) for file in HEADERS[column] if Path(file).is_file()), None)
    if found is None:
        pytest.skip("the kernel's headers are not installed")
    header = dict(re.findall(r"^#define __NR(?:3264)?_(\w+) (\d+)$", found.read_text(), re.MULTILINE))
    common = header.keys() & NUMBERS.keys()
    assert len(common) > 70  # older headers lack the newest calls
    assert {name: NUMBERS[name][column] for name in common} == {name: header[name] for name in common}


@machines
def test_exactly_the_named_calls_are_refused_and_all_others_allowed(machine: str) -> None:
    filtered = Filter(machine)
    refused = {name for name in NUMBERS if name not in BY_ARGUMENT and NUMBERS[name][COLUMNS[machine]] != "-"}
    due = {number_of(name, machine): EPERM for name in refused} | {number_of("clone3", machine): ENOSYS}
    decided = {number_of(name, machine) for name in BY_ARGUMENT}
    plain = [number for number in range(NEWEST + 1) if number not in decided]
    assert {n: filtered.numbered(n) for n in plain} == {n: due.get(n, ALLOWED) for n in plain}


@machines
def test_what_is_newer_than_the_table_does_not_exist(machine: str) -> None:
    filtered = Filter(machine)
    assert filtered.numbered(NEWEST) == EPERM
    for number in (NEWEST + 1, NEWEST + 2, 1000, 0x3FFFFFFF):
        assert filtered.numbered(number) == ENOSYS
    if machine == "aarch64":  # which has no other table behind these
        assert filtered.numbered(0x40000000) == filtered.numbered(0xFFFFFFFF) == ENOSYS


@machines
def test_the_numbers_of_another_architecture_kill(machine: str) -> None:
    program = syscalls.program(True, machine)
    for architecture in {*ARCHITECTURES.values(), *OTHERS.values()} - {ARCHITECTURES[machine]}:
        assert judged(program, architecture, 1) == KILLED
    if machine == "x86_64":  # its other table, for pointers of 32 bits
        for number in (0x40000000, 0x40000000 + 39, 0xFFFFFFFF):
            assert Filter(machine).numbered(number) == KILLED


@machines
@pytest.mark.parametrize("name", ["prlimit64", "sched_setscheduler", "sched_setparam", "sched_setattr"])
def test_a_worker_sets_its_own_limits_and_nobody_elses(machine: str, name: str) -> None:
    filtered = Filter(machine)
    assert filtered.of(name, 0, 5) == ALLOWED
    for pid in (1, 4711, 0xFFFFFFFF):
        assert filtered.of(name, pid, 0) == EPERM


@machines
def test_a_worker_chooses_among_its_cores_only_where_a_group_holds_it(machine: str) -> None:
    assert Filter(machine, affinity=True).of("sched_setaffinity", 0) == ALLOWED
    assert Filter(machine, affinity=True).of("sched_setaffinity", 1) == EPERM
    assert Filter(machine, affinity=False).of("sched_setaffinity", 0) == EPERM


@machines
def test_only_its_own_priority_can_be_set(machine: str) -> None:
    filtered = Filter(machine)
    assert filtered.of("setpriority", 0, 0, 19) == ALLOWED
    for which, who in ((0, 1), (1, 0), (2, 0), (1, 1)):
        assert filtered.of("setpriority", which, who, 19) == EPERM


@machines
def test_a_personality_can_be_asked_for_and_not_changed(machine: str) -> None:
    filtered = Filter(machine)
    assert filtered.of("personality", 0xFFFFFFFF) == filtered.of("personality", 0) == ALLOWED
    for value in (1, 0x0040000, 0x0400000, 0x0040008):
        assert filtered.of("personality", value) == EPERM


@machines
@pytest.mark.parametrize("name", ["socket", "socketpair"])
def test_only_unix_sockets_can_be_made(machine: str, name: str) -> None:
    filtered = Filter(machine)
    families = range(47)
    assert [family for family in families if filtered.of(name, family, 1) == ALLOWED] == [1]
    assert {filtered.of(name, family, 1) for family in families} == {ALLOWED, EPERM}


@machines
def test_nothing_can_be_typed_into_a_terminal(machine: str) -> None:
    filtered = Filter(machine)
    assert filtered.of("ioctl", 0, 0x5412) == EPERM  # TIOCSTI
    assert filtered.of("ioctl", 0, 0x541C) == EPERM  # TIOCLINUX
    for request in (0x5401, 0x5411, 0x5413, 0x541B, 0x541D):
        assert filtered.of("ioctl", 0, request) == ALLOWED


@machines
def test_nothing_throws_a_files_pages_out_of_memory_or_asks_which_are_there(machine: str) -> None:
    filtered = Filter(machine)
    given = range(40)
    assert [advice for advice in given if filtered.of("fadvise64", 3, 0, 4096, advice) == EPERM] == [4]
    assert [advice for advice in given if filtered.of("madvise", 0, 4096, advice) == EPERM] == [
        12,
        20,
        21,
        25,
    ]
    for call in ("preadv2", "pwritev2"):
        assert filtered.of(call, 3, 0, 1, 0, 0, 0) == ALLOWED
        for flag in (0x1, 0x8, 0x10):  # RWF_HIPRI, RWF_NOWAIT, RWF_APPEND (linux/fs.h)
            assert filtered.of(call, 3, 0, 1, 0, 0, flag) == EPERM


@machines
def test_no_option_or_request_tells_of_what_the_kernel_keeps_for_all(machine: str) -> None:
    filtered = Filter(machine)
    # The signal that tells of input, leases, and notices of a folder (linux/fcntl.h).
    assert [c for c in range(1100) if filtered.of("fcntl", 3, c) == EPERM] == [10, 1024, 1026]
    # SO_COOKIE, SO_NETNS_COOKIE and SO_PEERPIDFD are asked for; SO_PASSPIDFD is set (asm-generic/socket.h).
    assert [o for o in range(100) if filtered.of("getsockopt", 3, 1, o) == EPERM] == [57, 71, 77]
    assert [o for o in range(100) if filtered.of("setsockopt", 3, 1, o) == EPERM] == [76, 83]
    # Adds, removes (for itself, for all) and asks for a file system's key: _IOWR('f', 23..26) (linux/fscrypt.h).
    for number, size in ((23, 80), (24, 64), (25, 64), (26, 128)):
        assert filtered.of("ioctl", 3, 3 << 30 | size << 16 | ord("f") << 8 | number) == EPERM


@machines
def test_no_child_comes_with_a_descriptor_that_tells_its_number_in_the_machine(machine: str) -> None:
    assert Filter(machine).of("clone", 0x1000 | 17) == EPERM  # CLONE_PIDFD, SIGCHLD


@machines
def test_no_call_sends_the_signal_that_lets_what_is_stopped_go_on(machine: str) -> None:
    filtered = Filter(machine)
    signals, go_on = range(65), [18]
    for name in ("kill", "tkill", "rt_sigqueueinfo"):
        assert [s for s in signals if filtered.of(name, 7, s) == EPERM] == go_on
    for name in ("tgkill", "rt_tgsigqueueinfo"):
        assert [s for s in signals if filtered.of(name, 7, 8, s) == EPERM] == go_on
    assert filtered.of("kill", -1 & (1 << 64) - 1, 18) == EPERM  # to all at once
    assert [s for s in signals if filtered.of("clone", 0x01200000 | s) == EPERM] == go_on
    assert [s for s in signals if filtered.of("prctl", 1, s) == EPERM] == go_on  # PR_SET_PDEATHSIG
    assert filtered.of("prctl", 15, 18) == ALLOWED  # a name: its second argument is a pointer


@machines
def test_no_flag_of_clone_makes_a_namespace(machine: str) -> None:
    filtered = Filter(machine)
    threads, forks = 0x003D0F00, 0x01200011  # as the C library makes them
    for flags in (threads, forks):
        assert filtered.of("clone", flags) == ALLOWED
        # Mounts, control groups, names, messages, users, processes, networks (linux/sched.h).
        for new in (17, 25, 26, 27, 28, 29, 30):
            assert filtered.of("clone", flags | 1 << new) == EPERM


@machines
def test_a_call_is_found_by_its_name(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls.platform, "machine", lambda: machine)
    assert syscalls.known()
    sockets = {"socket", "socketpair"}  # known to the filter only
    found = {name: syscalls.number(name) for name in NUMBERS if name not in sockets}
    due = {name: NUMBERS[name][COLUMNS[machine]] for name in NUMBERS if name not in sockets}
    assert found == {name: -1 if number == "-" else int(number) for name, number in due.items()}


def test_a_machine_without_a_table_is_known_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls.platform, "machine", lambda: "riscv64")
    assert not syscalls.known()
