"""A fitted scikit-learn forest as plain arrays: saved as safetensors, evaluated without scikit-learn or pickles."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FrozenForest:
    """Regression trees flattened one after the other.

    Attributes (n nodes, t trees):
        feature [n] int16: feature a node splits on, −1 at a leaf.
        threshold [n] float32: left when the value is at most this.
        left, right [n] int32: children. value [n] float32: prediction of a leaf.
        roots [t] int32: first node of each tree.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    roots: np.ndarray

    @classmethod
    def from_sklearn(cls, forest) -> "FrozenForest":
        """Flatten a fitted RandomForestRegressor or ExtraTreesRegressor."""
        trees = [estimator.tree_ for estimator in forest.estimators_]
        roots = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])[:-1]])
        pairs = list(zip(trees, roots, strict=True))
        return cls(
            feature=np.concatenate([np.maximum(tree.feature, -1) for tree in trees]).astype(np.int16),
            threshold=_rounded_down(np.concatenate([tree.threshold for tree in trees])),
            left=np.concatenate([tree.children_left + root for tree, root in pairs]).astype(np.int32),
            right=np.concatenate([tree.children_right + root for tree, root in pairs]).astype(np.int32),
            value=np.concatenate([tree.value[:, 0, 0] for tree in trees]).astype(np.float32),
            roots=roots.astype(np.int32),
        )

    def predict_trees(self, features: np.ndarray) -> np.ndarray:
        """Prediction of every tree, [samples, trees], for features [samples, k]."""
        features = np.asarray(features, dtype=np.float32)  # as scikit-learn compares
        rows = np.arange(len(features))[:, None]
        node = np.tile(self.roots, (len(features), 1))
        while (inner := self.feature[node] >= 0).any():
            below = features[rows, np.maximum(self.feature[node], 0)] <= self.threshold[node]
            node = np.where(inner, np.where(below, self.left[node], self.right[node]), node)
        return self.value[node]

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Named arrays for a safetensors file."""
        return {f"{prefix}.{name}": getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], prefix: str) -> "FrozenForest":
        return cls(**{name: arrays[f"{prefix}.{name}"] for name in cls.__dataclass_fields__})


def _rounded_down(threshold: np.ndarray) -> np.ndarray:
    """The largest float32 at or below each threshold: compares to float32 features just as the float64 does."""
    nearest = threshold.astype(np.float32)
    return np.where(nearest > threshold, np.nextafter(nearest, np.float32(-np.inf)), nearest)
