"""The processor of this machine: maker, family, instructions and cores, as the system tells."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path

X86 = ("x86_64", "AMD64")
"""What systems call the instruction set of Intel's and AMD's 64-bit processors."""

_CPUINFO = Path("/proc/cpuinfo")
_WINDOWS = re.compile(r"Family (?P<family>\d+) Model (?P<model>\d+).*?, *(?P<vendor>\w+)")


@dataclass(frozen=True)
class Processor:
    """What a processor is, which decides how it computes fastest.

    Attributes:
        machine: Instruction set, such as "x86_64" or "aarch64".
        vendor: Its maker as the processor names it, "GenuineIntel" or "AuthenticAMD"; "" where the
            system does not tell.
        family: Number of the family; None where unknown.
        model: Number of the model within the family; None where unknown.
        name: Name for people.
        flags: Instructions beyond the basic ones, as Linux names them, such as "avx512_bf16";
            empty on other systems.
    """

    machine: str
    vendor: str = ""
    family: int | None = None
    model: int | None = None
    name: str = ""
    flags: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def is_x86(self) -> bool:
        """Whether it understands the instructions of `X86`."""
        return self.machine in X86


def describe_processor() -> Processor:
    """Describe the processor of this machine, which is the same from call to call."""
    try:
        return parse_cpuinfo(_CPUINFO.read_text(encoding="utf-8"), platform.machine())
    except OSError:  # not Linux
        return parse_identifier(platform.processor(), platform.machine())


def count_cores() -> int:
    """Count the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def count_threads() -> int:
    """Count the threads that NumPy's products take: `OMP_NUM_THREADS`, or one for each core."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else count_cores()


def parse_cpuinfo(text: str, machine: str) -> Processor:
    """Read what Linux says of the first core.

    Args:
        text: Contents of `/proc/cpuinfo`.
        machine: Instruction set.
    """
    values: dict[str, str] = {}
    for line in text.strip().split("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        values[key.strip()] = value.strip()
    return Processor(
        machine=machine,
        vendor=values.get("vendor_id", ""),
        family=_number(values.get("cpu family")),
        model=_number(values.get("model")),
        name=values.get("model name", ""),
        flags=frozenset(values.get("flags", "").split()),
    )


def parse_identifier(text: str, machine: str) -> Processor:
    """Read what systems other than Linux call the processor.

    Args:
        text: Such as "Intel64 Family 6 Model 85 Stepping 7, GenuineIntel" on Windows.
        machine: Instruction set.
    """
    known = _WINDOWS.search(text)
    if known is None:
        return Processor(machine=machine, name=text)
    return Processor(
        machine=machine,
        vendor=known["vendor"],
        family=int(known["family"]),
        model=int(known["model"]),
        name=text,
    )


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and value.isdecimal() else None
