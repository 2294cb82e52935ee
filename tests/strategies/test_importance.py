"""Which genes mattered, beside scipy's Spearman correlation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from strategies.importance import rank_correlations, spans


@given(st.integers(0, 10_000), st.integers(8, 40))
def test_correlations_are_scipys_ties_included(seed, rows):
    chance = np.random.default_rng(seed)
    genes = np.column_stack([chance.normal(size=rows), chance.integers(0, 3, rows)]).astype(float)
    worth = genes[:, 0] + chance.integers(0, 4, rows)

    found = rank_correlations(genes, worth)

    for gene, correlation in zip(genes.T, found, strict=True):
        if len(set(gene)) > 1:
            assert correlation == pytest.approx(spearmanr(gene, worth).statistic, abs=1e-12)
        else:
            assert np.isnan(correlation)


def test_what_does_not_vary_and_too_few_genomes_say_nothing():
    genes = np.column_stack([np.ones(9), np.arange(9.0)])

    assert np.isnan(rank_correlations(genes, np.arange(9.0))).tolist() == [True, False]
    assert np.isnan(rank_correlations(genes, np.ones(9))).all()
    assert np.isnan(rank_correlations(genes[:7], np.arange(7.0))).all()


def test_a_span_is_the_part_of_the_bounds_in_use():
    genes = np.array([[0.0, 2.0, 5.0], [1.0, 2.0, 5.0]])

    assert spans(genes, np.array([0.0, 0.0, 5.0]), np.array([4.0, 4.0, 5.0])).tolist() == [
        0.25,
        0.0,
        0.0,
    ]
