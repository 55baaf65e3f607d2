"""The first files of ``python tests/fuzz``, and what it takes for a fault."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent


def test_damaged_files_end_in_one_line(tmp_path):
    """All hostile files as they are, and some hundred that are damaged."""
    for package in ("h5py", "nir"):
        pytest.importorskip(package)
    done = subprocess.run(
        [sys.executable, str(FUZZ), "--files=600", "--seed=1", "--share=0.05"],
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)
    # a busy machine counts as none: only `python tests/fuzz` by itself measures time
    faults = [fault for fault in found["faults"] if fault["fault"] != "slow"]
    assert not faults
    assert found["files"] == 600
    refused = sum(kind["refused"] for kind in found["by_kind"].values())
    assert 300 < refused < 600  # sound files are read
