import numpy as np
import pytest

from isotherm.experiment.analysis.multiplicity import adjusted

P = [0.01, 0.04, 0.03, 0.2, 0.001]


@pytest.mark.parametrize(("ours", "theirs"), [("holm", "holm"), ("fdr", "fdr_bh")])
def test_it_agrees_with_statsmodels(ours, theirs):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    assert adjusted(P, ours) == pytest.approx(multitest.multipletests(P, method=theirs)[1], abs=1e-12)


@pytest.mark.parametrize("correction", ["holm", "fdr"])
def test_it_agrees_with_tea_tasting(correction):
    tea = pytest.importorskip("tea_tasting")
    results = {n: tea.experiment.ExperimentResult({"m": {"pvalue": p}}) for n, p in enumerate(P)}
    if correction == "holm":
        told = tea.adjust_fwer(results, method="bonferroni", arbitrary_dependence=True)
    else:
        told = tea.adjust_fdr(results)
    theirs = [told[n]["m"]["pvalue_adj"] for n in range(len(P))]
    assert adjusted(P, correction) == pytest.approx(theirs, abs=1e-12)


def test_what_is_not_measured_does_not_count():
    told = adjusted([0.01, float("nan"), 0.02], "holm")
    assert np.isnan(told[1])
    assert told[0] == pytest.approx(0.02)
    assert adjusted([], "fdr") == []
