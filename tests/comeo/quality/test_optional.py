"""Qualification without its optional packages: a clear refusal, and no import before it is needed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from comeo.errors import ComeoError
from comeo.quality.qualify import qualify
from comeo.quality.thematic import classify, cluster
from tests.scenes import array_group, array_scene, landscape


@pytest.fixture
def without_sklearn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scikit-learn be missing, imported before or not."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)


@pytest.mark.usefixtures("without_sklearn")
def test_without_scikit_learn_the_user_is_given_the_command_that_installs_it() -> None:
    spectra = np.random.default_rng(0).random((300, 4), np.float32)
    labels, apart = np.arange(300) % 2, np.arange(300) < 150
    scene = array_scene(array_group(landscape(2, 64, 64)))

    class Untouched:
        def start(self, stage: str, total: int) -> None:
            raise AssertionError("work began before the package was looked for")

        def advance(self) -> None: ...

        def note(self, message: str) -> None: ...

    for work in (
        lambda: cluster(spectra, spectra, 4),
        lambda: classify(spectra, spectra, labels, apart, "k-means"),
        lambda: qualify(scene, scene.groups, progress=Untouched()),
    ):
        with pytest.raises(
            ComeoError, match=r"scikit-learn is not installed; run: pip install 'comeo\[qualify\]'"
        ):
            work()


def test_importing_quality_imports_neither_scikit_learn_nor_scikit_image() -> None:
    code = (
        "import sys, pkgutil, importlib, comeo.quality\n"
        "names = [each.name for each in pkgutil.iter_modules(comeo.quality.__path__)]\n"
        "assert 'qualify' in names\n"
        "for name in names: importlib.import_module(f'comeo.quality.{name}')\n"
        "assert not {'sklearn', 'skimage'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
