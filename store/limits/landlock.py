"""Linux's Landlock: a process gives up, for good, the right to write files, to read others, to use the network.

Landlock needs no privilege and no configuration. Kernels from 5.13 on have it, in versions that can bar more and
more; macOS and older kernels have none. Numbers and structures are those of ``linux/landlock.h``
(https://docs.kernel.org/userspace-api/landlock.html).
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["bar", "landlock_version", "library_folders"]

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_VERSION_FLAG = 1
_NO_NEW_PRIVILEGES = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_CHANGE_FOLDER = sum(1 << bit for bit in range(4, 13))  # remove and make files, folders, links, devices
_REFER, _TRUNCATE, _DEVICE_CONTROL = 1 << 13, 1 << 14, 1 << 15
_READING = _EXECUTE | _READ_FILE | _READ_FOLDER
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_CONTROL
_NETWORK = 1 << 0 | 1 << 1  # bind and connect by TCP
_SCOPES = 1 << 0 | 1 << 1  # abstract sockets of others, signals to others

_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/opt", "/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/zero")
_MACHINE = (
    "/dev/urandom",
    "/proc/self",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/stat",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def landlock_version() -> int:
    """Return the version of Landlock that the kernel has, 0 where it has none."""
    if not sys.platform.startswith("linux"):
        return 0
    version: int = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    return max(version, 0)


def bar(*, readable: Iterable[Path] | None, writable: Iterable[Path], network: bool) -> bool:
    """Take from this thread, and from what it starts later, all rights to files but the ones named.

    Parameters
    ----------
    readable : iterable of Path or None
        Files, and folders with all below them, that may be read; everything where None.
    writable : iterable of Path
        Folders below which files may be read, made, changed and removed.
    network : bool
        Whether TCP connections stay possible (barred from Landlock 4 on).

    Returns
    -------
    bool
        False where the kernel has no Landlock: nothing is barred then.
    """
    version = landlock_version()
    if not version:
        return False
    writing = _WRITE_FILE | _CHANGE_FOLDER | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    handled = writing | (_READING if readable is not None else 0)
    rules = _Ruleset(handled, 0 if network or version < 4 else _NETWORK, _SCOPES if version >= 6 else 0)
    size = ctypes.c_size_t(24 if version >= 6 else 16 if version >= 4 else 8)
    libc = _libc()
    ruleset = _checked(libc.syscall(_CREATE_RULESET, ctypes.byref(rules), size, ctypes.c_uint32(0)))
    try:
        for path in readable or ():
            _allow(libc, ruleset, path, _READING)
        for path in writable:
            _allow(libc, ruleset, path, handled)
        _allow(libc, ruleset, Path(os.devnull), handled & (_READING | _WRITE_FILE))
        _checked(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)
    return True


def library_folders() -> list[Path]:
    """Return what a Python process reads for its own sake: its libraries, the system's, the machine's figures."""
    # A path of the search that is relative, as that of ``python -c``, leads to these packages too.
    packages = str(Path(__file__).parents[2])
    own = [sys.prefix, sys.base_prefix, sys.exec_prefix, packages, *sys.path]
    every = [Path(each) for each in dict.fromkeys([*own, *_SYSTEM, *_MACHINE])]
    return [each for each in every if each.is_absolute()]


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no right
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _OF_FILES
        rule = _PathBeneath(rights, handle)
        _checked(
            libc.syscall(
                _ADD_RULE,
                ctypes.c_int(ruleset),
                ctypes.c_int(_RULE_PATH_BENEATH),
                ctypes.byref(rule),
                ctypes.c_uint32(0),
            )
        )
    finally:
        os.close(handle)


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return answer


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
