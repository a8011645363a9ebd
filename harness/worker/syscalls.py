"""The seccomp filter of the stronger levels: the system calls that a worker may not make, as BPF.

Everything is allowed except what is listed: reaching into other processes, keys, messages and memory that
outlive a process, namespaces and mounts, sockets other than unix ones, and kernel interfaces in which faults
are often found. System calls newer than this table do not exist for the worker (ENOSYS), nor does clone3,
whose flags a filter cannot read; using another architecture's numbers kills it. memfd_create stays allowed,
because CUDA needs it.

What it does not stop: it cannot see what a pointer points to, so paths, addresses and the receivers of
signals are left to Landlock. We do not use libseccomp through its ctypes wrapper: it must be installed beside
Python and is found by running a compiler's tools; 90 numbers need less trust.
"""

from __future__ import annotations

import platform
import struct

_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
X32 = 0x40000000
_NEWEST = 470  # of Linux 6.19; the same on every architecture from 424 on
_AF_UNIX, _TIOCSTI, _TIOCLINUX = 1, 0x5412, 0x541C
_NEW_NAMESPACES = 0x7E020000

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Number on x86_64, on aarch64; None where it has no such call.
_DENIED: dict[str, tuple[int, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "listns": (470, 470),
    "setns": (308, 268),
    "unshare": (272, 97),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "settimeofday": (164, 170),
    "ioprio_set": (251, 30),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "acct": (163, 89),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "memfd_secret": (447, 447),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
}
# The first argument names a process: only 0, oneself, is allowed.
_OF_ITSELF: dict[str, tuple[int, int]] = {
    "prlimit64": (302, 261),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
}
_SETAFFINITY = (203, 122)
_SETPRIORITY = (141, 140)
_PERSONALITY = (135, 92)
_SOCKETS = ((41, 198), (53, 199))
_IOCTL, _CLONE, _CLONE3 = (16, 29), (56, 220), (435, 435)

_Lines = list[tuple[int, int, int, int]]


def known() -> bool:
    """Whether there is a table for this machine's architecture."""
    return platform.machine() in ARCHITECTURES


def number(name: str) -> int:
    """The number on this machine of one of the calls listed here; -1 if it has none."""
    column = list(ARCHITECTURES).index(platform.machine())
    more = {"sched_setaffinity": _SETAFFINITY, "setpriority": _SETPRIORITY, "personality": _PERSONALITY}
    more |= {"ioctl": _IOCTL, "clone": _CLONE, "clone3": _CLONE3}
    numbers = {**_DENIED, **_OF_ITSELF, **more}
    entry = numbers[name][column]
    return -1 if entry is None else entry


def program(affinity: bool, machine: str | None = None) -> bytes:
    """The filter in the form that the kernel takes. `affinity`: whether a worker may choose its cores by itself.

    It may if a control group limits it to its cores; otherwise it could choose more than it was given.
    """
    machine = machine or platform.machine()
    column = list(ARCHITECTURES).index(machine)
    lines: _Lines = [(_LD, 0, 0, _ARCHITECTURE), (_JEQ, 1, 0, ARCHITECTURES[machine]), _answer(_KILL)]
    lines.append((_LD, 0, 0, _NUMBER))
    if machine == "x86_64":
        lines += [(_JGE, 0, 1, X32), _answer(_KILL)]
    lines += [(_JGE, 0, 1, _NEWEST + 1), _answer(_ERRNO | _ENOSYS)]
    for numbers in _DENIED.values():
        if (number := numbers[column]) is not None:
            lines += _on(number, [_answer(_ERRNO | _EPERM)])
    lines += _on(_CLONE3[column], [_answer(_ERRNO | _ENOSYS)])
    for own in _OF_ITSELF.values():
        lines += _on(own[column], _only(0, 0))
    lines += _on(_SETAFFINITY[column], _only(0, 0) if affinity else [_answer(_ERRNO | _EPERM)])
    for socket in _SOCKETS:
        lines += _on(socket[column], _only(0, _AF_UNIX))
    lines += _on(_SETPRIORITY[column], [*_unless(0, 0), *_only(1, 0)])
    lines += _on(_PERSONALITY[column], _only(0, 0xFFFFFFFF, 0))
    lines += _on(_IOCTL[column], _never(1, _TIOCSTI, _TIOCLINUX))
    lines += _on(
        _CLONE[column],
        [_argument(0), (_JSET, 0, 1, _NEW_NAMESPACES), _answer(_ERRNO | _EPERM), _answer(_ALLOW)],
    )
    lines.append(_answer(_ALLOW))
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


def _answer(value: int) -> tuple[int, int, int, int]:
    return _RET, 0, 0, value


def _argument(number: int) -> tuple[int, int, int, int]:
    """Loads the lower half of an argument; all arguments that are checked are 32-bit numbers."""
    return _LD, 0, 0, _ARGUMENTS + 8 * number


def _on(number: int, then: _Lines) -> _Lines:
    """`then`, which must end in an answer, for this call; others go on behind it with the number loaded."""
    return [(_JEQ, 0, len(then), number), *then]


def _only(argument: int, *values: int) -> _Lines:
    """Allowed with one of `values`, else EPERM."""
    checks: _Lines = []
    for value in values:
        checks += [(_JEQ, 0, 1, value), _answer(_ALLOW)]
    return [_argument(argument), *checks, _answer(_ERRNO | _EPERM)]


def _unless(argument: int, value: int) -> _Lines:
    """EPERM unless it has `value`; with it, what follows decides."""
    return [_argument(argument), (_JEQ, 1, 0, value), _answer(_ERRNO | _EPERM)]


def _never(argument: int, *values: int) -> _Lines:
    """EPERM with one of `values`, else allowed."""
    checks: _Lines = []
    for value in values:
        checks += [(_JEQ, 0, 1, value), _answer(_ERRNO | _EPERM)]
    return [_argument(argument), *checks, _answer(_ALLOW)]
