"""Models beside the LMU on psMNIST: an LSTM, and models without time.

None of them is tuned, and the LSTM is stopped before it has converged: their accuracies
record these runs and do not compare the models.
"""

import time

import numpy as np

from lmu_spiking.errors import MissingPackageError

BATCH = 100


def lstm(task, units: int, limits: list[float], seed: int) -> list[dict]:
    """An LSTM after each limit of seconds, on the same digits and shifts."""
    from lmu_spiking.training.hybrid import lstm_model
    from lmu_spiking.training.keras_fit import fit

    model = lstm_model(1, task.classes, (units,), last=True, seed=seed)
    found = fit(model, task, limits, batch=BATCH, seed=seed)
    names = ("LSTM, same time", "LSTM, longer")
    return [
        {
            "model": name,
            "params": one.n_params,
            "seconds": one.seconds,
            "epochs": one.epochs,
            "test": one.test,
            "history": one.history,
        }
        for name, one in zip(names, found, strict=False)
    ]


def simple(task, seed: int) -> list[dict]:
    """Logistic regression and a perceptron of one layer on all pixels at once."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from sklearn.neural_network import MLPClassifier
        from sklearn.utils._testing import ignore_warnings
    except ImportError:
        raise MissingPackageError("scikit-learn", "data") from None
    models = {
        "linear, raw pixels": LogisticRegression(C=0.1, max_iter=200),
        "MLP(256), raw pixels": MLPClassifier((256,), max_iter=60, random_state=seed),
    }
    x, test = (part.x.reshape(len(part.x), -1) for part in (task.train, task.test))
    rows = []
    for name, model in models.items():
        start = time.perf_counter()
        with ignore_warnings(category=ConvergenceWarning):
            model.fit(x, task.train.y)
        rows.append(
            {
                "model": name,
                "params": _size(model),
                "seconds": time.perf_counter() - start,
                "epochs": int(np.max(model.n_iter_)),
                "test": float(np.mean(model.predict(test) == task.test.y)),
            }
        )
    return rows


def _size(model) -> int:
    each = (model.coef_, model.intercept_) if hasattr(model, "coef_") else None
    if each is None:
        each = (*model.coefs_, *model.intercepts_)
    return int(sum(a.size for a in each))
