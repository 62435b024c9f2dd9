"""How much memory there is, and how much something takes, in words."""

from pathlib import Path

_LIMITS = (  # of a container: (limit, use) of cgroup 2 and 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available() -> int:
    """Bytes that a process may still take: what the machine has free, or a container's limit leaves; 8 GB where nobody says."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    except OSError:
        pass  # no Linux
    for limit, use in _LIMITS:
        try:
            found.append(int(Path(limit).read_text()) - int(Path(use).read_text()))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return max(0, min(found)) if found else 8 * 1024**3


def words(count: float) -> str:
    """`1.5 GB`, `34 MB`."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1e3:.3g} kB"
