"""Processors in containers: affinity and quotas of control groups, of both versions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from comeo import cpus


class Machine:
    """A machine of 64 processors with control groups of our own making."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.groups = folder / "cgroup", folder / "groups"
        self.groups.mkdir()

    def group(self, path: str, **files: str) -> None:
        """Make a control group; in names of files `_` stands for the first dot."""
        folder = self.groups / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name.replace("_", ".", 1)).write_text(content + "\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(cpus, "_PROC", made.proc)
    monkeypatch.setattr(cpus, "_GROUPS", made.groups)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(os, "process_cpu_count", lambda: 64, raising=False)
    return made


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("max 100000", 64), ("", 64),
     ("x y", 64), ("0 0", 64), ("9900000 100000", 64)],
)  # fmt: skip
def test_version_2(machine: Machine, quota: str, expected: int) -> None:
    machine.proc.write_text("0::/\n")
    machine.group("", cpu_max=quota)
    assert cpus.cpu_count() == expected


def test_a_quota_of_any_group_above_counts(machine: Machine) -> None:
    machine.proc.write_text("0::/kubepods/pod/container\n")
    machine.group("kubepods/pod/container", cpu_max="max 100000")
    machine.group("kubepods/pod", cpu_max="300000 100000")
    machine.group("kubepods", cpu_max="3200000 100000")
    assert cpus.cpu_count() == 3


@pytest.mark.parametrize("mounted", ["cpu,cpuacct", "cpu"])
def test_version_1(machine: Machine, mounted: str) -> None:
    machine.proc.write_text("4:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n0::/\n")
    machine.group(f"{mounted}/docker/ab", cpu_cfs_quota_us="250000", cpu_cfs_period_us="100000")
    assert cpus.cpu_count() == 3
    machine.group(f"{mounted}/docker/ab", cpu_cfs_quota_us="-1")
    assert cpus.cpu_count() == 64


def test_a_container_that_sees_the_hosts_path_has_its_quota_at_the_root(machine: Machine) -> None:
    machine.proc.write_text("3:cpu,cpuacct:/docker/ab\n")
    machine.group("cpu", cpu_cfs_quota_us="100000", cpu_cfs_period_us="100000")
    assert cpus.cpu_count() == 1


def test_a_path_never_leaves_the_groups(machine: Machine) -> None:
    machine.proc.write_text("0::/../outside\n")
    machine.group("../outside", cpu_max="100000 100000")
    assert cpus.cpu_count() == 64


def test_without_control_groups_affinity_decides(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5})
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2, raising=False)
    assert cpus.cpu_count() == 2


def test_this_very_process_may_be_kept_to_one_processor() -> None:
    one = min(os.sched_getaffinity(0))
    program = (
        f"import os; os.sched_setaffinity(0, {{{one}}}); from comeo.cpus import cpu_count; print(cpu_count())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
