"""Writes figures.reference.json: what scikit-learn 1.9.1 and scipy 1.17.1 say of three sets of probabilities with ties.

    python test/classifier/figures.py > test/classifier/figures.reference.json
"""
import json

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, chi2
from sklearn import metrics
from sklearn.calibration import calibration_curve

random = np.random.default_rng(20261129)


def probabilities(labels, classes, spread, digits):
    """Softmax of noisy logits, rounded so that many are equal; the last class takes what is left."""
    logits = random.normal(0, spread, (len(labels), classes)) + 1.5 * np.eye(classes)[labels]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    p[:, :-1] = np.floor(p[:, :-1] * 10**digits) / 10**digits
    p[:, -1] = 1 - p[:, :-1].sum(1)
    return np.clip(p, 0, 1)


def calibration_error(labels, p, bins):
    confidence, right = p.max(1), (p.argmax(1) == labels).astype(int)
    accuracy, mean = calibration_curve(right, confidence, n_bins=bins, strategy='uniform')
    edges = np.linspace(0, 1, bins + 1)
    counts = np.bincount(np.searchsorted(edges[1:-1], confidence), minlength=bins)
    return float((counts[counts > 0] * np.abs(accuracy - mean)).sum() / len(labels))


def temperature(labels, p):
    """Its log loss is least, over log probabilities that are at least log 2**-25."""
    logits = np.log(np.maximum(p, 2.0**-25))

    def loss(log_temperature):
        z = logits / np.exp(log_temperature)
        z = z - z.max(1, keepdims=True)
        return float(np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(len(labels)), labels]))

    best = minimize_scalar(loss, bounds=(-4, 4), method='bounded', options={'xatol': 1e-12})
    return float(np.exp(best.x)), loss(best.x)


def describe(count, classes, spread, digits, shares):
    labels = random.choice(classes, count, p=shares)
    p = probabilities(labels, classes, spread, digits)
    predicted = p.argmax(1)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(labels, predicted, zero_division=0)
    curves = []
    for label in range(classes):
        one, score = (labels == label).astype(int), p[:, label]
        fpr, tpr, _ = metrics.roc_curve(one, score, drop_intermediate=False)
        precisions, recalls, _ = metrics.precision_recall_curve(one, score)
        curves.append({
            'rocAuc': metrics.roc_auc_score(one, score),
            'averagePrecision': metrics.average_precision_score(one, score),
            'falsePositiveRate': fpr.tolist(),
            'truePositiveRate': tpr.tolist(),
            'precision': precisions[::-1].tolist(),
            'recall': recalls[::-1].tolist(),
        })
    binary = classes == 2
    onehot = np.eye(classes)[labels]
    fitted, fitted_loss = temperature(labels, p)
    return {
        'labels': labels.tolist(),
        'probabilities': p.tolist(),
        'confusion': metrics.confusion_matrix(labels, predicted).tolist(),
        'classes': [
            {'precision': a, 'recall': b, 'f1': c, 'support': int(d)}
            for a, b, c, d in zip(precision, recall, f1, support)
        ],
        'accuracy': metrics.accuracy_score(labels, predicted),
        'balancedAccuracy': metrics.balanced_accuracy_score(labels, predicted),
        'brier': metrics.brier_score_loss(labels, p[:, 1] if binary else p),
        'logLoss': metrics.log_loss(labels, p),
        'calibrationError10': calibration_error(labels, p, 10),
        'calibrationError15': calibration_error(labels, p, 15),
        'curves': curves,
        'rocAuc': metrics.roc_auc_score(onehot, p, average='macro') if binary
        else metrics.roc_auc_score(labels, p, multi_class='ovr', average='macro'),
        'averagePrecision': metrics.average_precision_score(onehot, p, average='macro'),
        'temperature': fitted,
        'temperatureLoss': fitted_loss,
    }


def interval(successes, trials, confidence):
    found = binomtest(successes, trials).proportion_ci(confidence_level=confidence, method='exact')
    return {'successes': successes, 'trials': trials, 'confidence': confidence, 'low': found.low, 'high': found.high}


def mcnemar(only_first, only_second):
    differ = only_first + only_second
    statistic = max(0, abs(only_first - only_second) - 1) ** 2 / differ
    return {
        'onlyFirst': only_first,
        'onlySecond': only_second,
        'exact': binomtest(min(only_first, only_second), differ, 0.5).pvalue,
        'chiSquare': float(chi2.sf(statistic, 1)),
        'statistic': statistic,
    }


print(json.dumps({
    'sets': [
        describe(40, 2, 1.5, 1, [0.7, 0.3]),
        describe(150, 2, 2.0, 2, [0.94, 0.06]),
        describe(90, 4, 1.0, 1, [0.5, 0.3, 0.15, 0.05]),
    ],
    'intervals': [
        interval(k, n, c)
        for k, n, c in [(0, 1, .95), (1, 1, .95), (0, 20, .95), (20, 20, .95), (19, 20, .9), (3, 50, .99), (250, 500, .95),
                        (4999, 5000, .95), (77, 20000, .95)]
    ],
    'mcnemar': [mcnemar(*pair) for pair in [(1, 0), (3, 3), (4, 12), (0, 30), (60, 101), (900, 300)]],
}))
