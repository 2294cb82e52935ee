import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.genome import (
    DEFAULT,
    GENES,
    HIGH,
    LOW,
    Genome,
    GenomeInvalid,
    genome_id,
    genome_of,
    genome_text,
    parsed,
)

pytestmark = pytest.mark.area("evolution and beliefs")
genomes = st.builds(
    lambda shares: genome_of(np.clip(LOW + np.array(shares) * (HIGH - LOW), LOW, HIGH)),
    st.lists(st.floats(0, 1), min_size=len(GENES), max_size=len(GENES)),
)


@given(genomes)
def test_a_genome_is_its_text(genome):
    assert parsed(genome_text(genome)) == genome
    assert genome_of(genome.array) == genome


def test_the_smallest_difference_has_another_name():
    other = DEFAULT.but(gamma=np.nextafter(DEFAULT["gamma"], 300.0))

    assert genome_id(other) != genome_id(DEFAULT)
    assert len(genome_id(DEFAULT)) == 16


def test_every_gene_says_its_unit_its_meaning_and_stays_within_bounds():
    assert len({gene.name for gene in GENES}) == len(GENES)
    for gene in GENES:
        assert gene.low <= gene.default <= gene.high
        assert gene.unit
        assert gene.meaning


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"df": 2.0}, "gene df = 2.0 is outside 2.5 to 60", id="below its bound"),
        pytest.param({"df": float("nan")}, "gene df = nan is outside", id="not finite"),
        pytest.param({"gama": 1.0}, "no gene 'gama'; did you mean 'gamma'", id="no such gene"),
    ],
)
def test_what_is_no_genome_says_why(changed, said):
    with pytest.raises(GenomeInvalid, match=said):
        DEFAULT.but(**changed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(genome_text(DEFAULT).replace("genome 1", "genome 2"), "begins with", id="2"),
        pytest.param(genome_text(DEFAULT) + "df = 3\n", "df is given twice", id="twice"),
        pytest.param(genome_text(DEFAULT).replace("df =", "fd ="), "no gene 'fd'", id="unknown"),
        pytest.param(genome_text(DEFAULT).rsplit("cooldown")[0], "missing: cooldown", id="missing"),
        pytest.param(genome_text(DEFAULT).replace("df = ", "df = x"), "not a number", id="words"),
    ],
)
def test_what_is_no_text_of_a_genome_says_why(text, said):
    with pytest.raises(GenomeInvalid, match=said):
        parsed(text)


def test_a_genome_has_all_genes():
    with pytest.raises(GenomeInvalid, match="genes, not 1"):
        Genome((1.0,))
