"""Losses of maps made from the decoded scene: classes found without labels, and learned with them."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import ComeoError

_SEED: Final = 0
_FIT: Final = 20_000
_TRAIN: Final = 10_000
_TEST: Final = 50_000
_TREES: Final = 50
_FEWEST: Final = 50  # pixels of a class, below which it is left out

Spectra = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clustering:
    """Classes found in the original without labels, and where its pixels fall once decoded.

    Attributes:
        k: Number of classes.
        agreement: Share of pixels that stay in their class.
        confusion: (k, k) pixel counts, original class by row, decoded class by column.
        centroids: (k, bands), largest class first.
    """

    k: int
    agreement: float
    confusion: NDArray[np.int64]
    centroids: Spectra


@dataclass(frozen=True, slots=True)
class Classification:
    """A classifier's accuracies, on pixels it has not seen.

    Attributes:
        classifier: `random forest` or `linear`.
        labels: Where labels come from: `SCL` or `k-means`.
        classes: How many classes.
        original: Trained and scored on the original.
        decoded: Trained on the original, scored on the decoded scene.
        reverse: Trained on the decoded scene, scored on the original.
    """

    classifier: str
    labels: str
    classes: int
    original: float
    decoded: float
    reverse: float

    @property
    def loss(self) -> float:
        """Accuracy lost on the decoded scene by a classifier that was trained on the original."""
        return self.original - self.decoded


def cluster(reference: Spectra, decoded: Spectra, k: int) -> Clustering | None:
    """Classes of both versions by the centroids of the original.

    k-means++ (Arthur and Vassilvitskii, SODA 2007) on physical values, fitted to at most 20 000 spectra, the
    best of three starts.

    Args:
        reference: (n, bands).
        decoded: (n, bands).
        k: Number of classes.

    Returns:
        None where the original has fewer than k different spectra.

    Raises:
        ComeoError: If scikit-learn is not installed.
    """
    rng = np.random.default_rng(_SEED)
    sample = reference[rng.permutation(len(reference))[:_FIT]]
    if len(np.unique(sample, axis=0)) < k:
        return None
    model = _sklearn("cluster").KMeans(k, init="k-means++", n_init=3, random_state=_SEED).fit(sample)
    before = model.predict(reference)
    order = np.argsort(-np.bincount(before, minlength=k), kind="stable")
    centroids = np.asarray(model.cluster_centers_[order], np.float32)
    before, after = assign(reference, centroids), assign(decoded, centroids)
    confusion = np.bincount(before * k + after, minlength=k * k).reshape(k, k)
    return Clustering(k, float(np.mean(before == after)), confusion, centroids)


def assign(spectra: Spectra, centroids: Spectra) -> NDArray[np.int64]:
    """The nearest centroid of each spectrum: (n,)."""
    out = np.empty(len(spectra), np.int64)
    norms = np.square(centroids, dtype=np.float64).sum(axis=1)
    for start in range(0, len(spectra), 1 << 18):
        part = spectra[start : start + (1 << 18)].astype(np.float64)
        out[start : start + len(part)] = np.argmin(norms - 2 * part @ centroids.T, axis=1)
    return out


def classify(
    reference: Spectra,
    decoded: Spectra,
    labels: NDArray[np.int64],
    apart: NDArray[np.bool_],
    source: str,
    names: tuple[str, ...] = ("random forest", "linear"),
) -> list[Classification]:
    """How well classifiers of single spectra do on both versions.

    Args:
        reference: (n, bands).
        decoded: (n, bands).
        labels: (n,) classes; negative where a pixel has none.
        apart: (n,), which spectra to train on; the others are scored.
        source: Where the labels come from.
        names: Which classifiers: a random forest, logistic regression.

    Returns:
        One for each; empty if fewer than two classes have 50 pixels on both sides.

    Raises:
        ComeoError: If scikit-learn is not installed.
    """
    common = [
        label
        for label in np.unique(labels[labels >= 0])
        if min(np.count_nonzero(labels[apart] == label), np.count_nonzero(labels[~apart] == label)) >= _FEWEST
    ]
    if len(common) < 2:
        return []
    rng = np.random.default_rng(_SEED)
    known = np.isin(labels, common)
    train = rng.permutation(np.flatnonzero(known & apart))[:_TRAIN]
    test = rng.permutation(np.flatnonzero(known & ~apart))[:_TEST]
    out = []
    for name in names:
        make = _classifiers()[name]
        on_original = make().fit(reference[train], labels[train])
        on_decoded = make().fit(decoded[train], labels[train])
        scores = (
            on_original.score(reference[test], labels[test]),
            on_original.score(decoded[test], labels[test]),
            on_decoded.score(reference[test], labels[test]),
        )
        if all(map(math.isfinite, scores)):
            out.append(Classification(name, source, len(common), *map(float, scores)))
    return out


def _classifiers() -> dict[str, Callable[[], Any]]:
    return {
        # In one thread: scikit-learn's threads share Python's list of warning filters, and each empties it.
        "random forest": lambda: _sklearn("ensemble").RandomForestClassifier(
            _TREES, min_samples_leaf=2, random_state=_SEED
        ),
        "linear": lambda: _sklearn("pipeline").make_pipeline(
            _sklearn("preprocessing").StandardScaler(),
            _sklearn("linear_model").LogisticRegression(max_iter=1000, tol=1e-3),
        ),
    }


def check_installed() -> None:
    """Check that classes can be found and learned, before work begins that needs them.

    Raises:
        ComeoError: If scikit-learn is not installed.
    """
    _sklearn("cluster")


def _sklearn(module: str) -> Any:
    """A module of scikit-learn, which is an optional dependency and takes a second to import.

    Raises:
        ComeoError: If it is not installed.
    """
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ModuleNotFoundError as error:
        raise ComeoError("scikit-learn is not installed; run: pip install 'comeo[qualify]'") from error
