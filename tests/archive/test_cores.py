from __future__ import annotations

import os
from pathlib import Path

import pytest

from stream_ser.archive.cores import usable_cores


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def groups(root: Path, mine: str, **files: str) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(mine)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("mine", "files", "cores"),
    [
        ("", {}, 8),
        ("0::/\n", {"cpu_dot_max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu_dot_max": "250000 100000\n"}, 3),
        ("0::/a/b\n", {"a__cpu_dot_max": "200000 100000\n", "a__b__cpu_dot_max": "max 100000\n"}, 2),
        ("0::/a/b\n", {"cpu_dot_max": "50000 100000\n", "a__b__cpu_dot_max": "900000 100000\n"}, 1),
        ("0::/\n", {"cpu_dot_max": "rubbish"}, 8),
        ("4:cpu,cpuacct:/a\n", {"cpu__a__cpu.cfs_quota_us": "400000\n", "cpu__a__cpu.cfs_period_us": "100000\n"}, 4),
        ("4:cpu,cpuacct:/a\n", {"cpu__a__cpu.cfs_quota_us": "-1\n", "cpu__a__cpu.cfs_period_us": "100000\n"}, 8),
        ("4:cpuset:/a\n", {"cpu__a__cpu.cfs_quota_us": "100000\n", "cpu__a__cpu.cfs_period_us": "100000\n"}, 8),
    ],
)
@pytest.mark.usefixtures("eight")
def test_quotas_of_control_groups_count(tmp_path: Path, mine: str, files: dict[str, str], cores: int) -> None:
    assert usable_cores(groups(tmp_path, mine, **files)) == cores


def test_it_is_never_more_than_the_process_may_run_on() -> None:
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))
