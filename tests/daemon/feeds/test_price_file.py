import gzip
from datetime import UTC, date, datetime
from decimal import Decimal as D

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daemon.feeds.price_file import read_prices
from daemon.feeds.prices import PriceFileInvalid
from state.quote import Bar

FIRST, SECOND = date(2021, 11, 1), date(2021, 11, 2)
SIDE_BY_SIDE = "date,KO,PEP\n2021-11-01,56.5,161.25\n2021-11-02,56.75,162\n"
BAR_A_ROW = """Date,Symbol,Open,High,Low,Close,Adj Close,Volume
2021-11-01,KO,56,57,55.5,56.5,50,1000
2021-11-02,KO,56.5,57,56,56.75,50,2000
2021-11-01,PEP,160,162,159,161.25,150,300
2021-11-02,PEP,161,163,160,162,151,400
"""
CLOSES = {
    FIRST: {"KO": D("56.5"), "PEP": D("161.25")},
    SECOND: {"KO": D("56.75"), "PEP": D(162)},
}


@pytest.fixture
def written(tmp_path):
    def write(text, name="prices.csv"):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


def parquet(tmp_path, **columns):
    file = tmp_path / "prices.parquet"
    pq.write_table(pa.table(columns), file)
    return file


def closes(table):
    return {
        day: {bar.symbol: bar.close for bar in table.bars(row)}
        for row, day in enumerate(table.days)
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SIDE_BY_SIDE, id="closes side by side"),
        pytest.param(BAR_A_ROW, id="one bar a row, symbol by symbol"),
        pytest.param(
            "date,symbol,close\n2021-11-01,KO,56.5\n2021-11-01,PEP,161.25\n"
            "2021-11-02,PEP,162\n2021-11-02,KO,56.75\n",
            id="one bar a row, day by day",
        ),
        pytest.param(
            "date,KO,PEP\n2021-11-02,56.75,162\n2021-11-01,56.5,161.25\n",
            id="closes side by side, newest first",
        ),
        pytest.param(
            "date,symbol,close\n2021-11-02,KO,56.75\n2021-11-01,KO,56.5\n"
            "2021-11-02,PEP,162\n2021-11-01,PEP,161.25\n",
            id="one bar a row, symbol by symbol, newest first",
        ),
        pytest.param("\ufeff" + SIDE_BY_SIDE.replace("\n", "\r\n"), id="as spreadsheets write it"),
        pytest.param(SIDE_BY_SIDE.replace("date,", ","), id="an index without a name"),
        pytest.param(SIDE_BY_SIDE.replace("-01,", "-01 00:00:00,"), id="days with a midnight"),
        pytest.param(SIDE_BY_SIDE + "\n\n", id="with blank lines at the end"),
        pytest.param(SIDE_BY_SIDE.replace("56.5,", " 56.5 ,"), id="with blanks around numbers"),
        pytest.param(gzip.compress(SIDE_BY_SIDE.encode()), id="gzipped, whatever its name"),
    ],
)
def test_csv_in_each_of_its_shapes(written, text):
    assert closes(read_prices(written(text))) == CLOSES


def test_bars_keep_their_range_and_volume(written):
    table = read_prices(written(BAR_A_ROW))

    assert table.bars(0) == (
        Bar("KO", D("56.5"), D(56), D(57), D("55.5"), D(1000)),
        Bar("PEP", D("161.25"), D(160), D(162), D(159), D(300)),
    )


def test_a_file_of_one_instrument_is_named_after_it(written):
    one = "date,open,high,low,close,volume\n2021-11-01,1,2,1,2,10\n"

    assert read_prices(written(one, "BRK.csv")).symbols == ("BRK",)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param(
            {"date": [FIRST, SECOND], "KO": [56.5, 56.75], "PEP": [161.25, 162.0]},
            id="dates and floats",
        ),
        pytest.param(
            {
                "date": [datetime(2021, 11, 1, tzinfo=UTC), datetime(2021, 11, 2, tzinfo=UTC)],
                "KO": [D("56.50"), D("56.75")],
                "PEP": pa.array([161.25, 162.0], pa.float32()),
            },
            id="midnights, decimals and short floats",
        ),
        pytest.param(
            {
                "symbol": pa.array(["KO", "PEP", "KO", "PEP"]).dictionary_encode(),
                "date": ["2021-11-01", "2021-11-01", "2021-11-02", "2021-11-02"],
                "close": [56.5, 161.25, 56.75, 162.0],
                "volume": [1, 2, 3, 4],
            },
            id="one bar a row, texts and integers",
        ),
    ],
)
def test_parquet_in_each_of_its_shapes(tmp_path, columns):
    assert closes(read_prices(parquet(tmp_path, **columns))) == CLOSES


def test_a_float_is_the_number_it_prints_as(tmp_path):
    file = parquet(
        tmp_path,
        date=[FIRST, SECOND],
        KO=[129.652, 0.1 + 0.2],
        PEP=pa.array([129.652, 0.3], pa.float32()),
    )

    assert closes(read_prices(file)) == {
        FIRST: {"KO": D("129.652"), "PEP": D("129.652")},
        SECOND: {"KO": D("0.3"), "PEP": D("0.3")},
    }


def test_more_digits_than_a_millionth_are_rounded_half_even(written):
    table = read_prices(written("date,KO\n2021-11-01,1.0000005\n2021-11-02,1.0000015\n"))

    assert closes(table) == {FIRST: {"KO": D(1)}, SECOND: {"KO": D("1.000002")}}


def test_the_universe_picks_and_orders_the_columns(written):
    assert read_prices(written(SIDE_BY_SIDE), ("PEP", "KO")).symbols == ("PEP", "KO")
    assert read_prices(written(SIDE_BY_SIDE), ("PEP",)).bars(0) == (Bar("PEP", D("161.25")),)
    assert read_prices(written(BAR_A_ROW), ("PEP",)).days == [FIRST, SECOND]


def test_what_the_universe_leaves_out_need_not_be_prices(written):
    noted = SIDE_BY_SIDE.replace("PEP", "remark").replace("161.25", "sold?")

    assert read_prices(written(noted), ("KO",)).symbols == ("KO",)


def test_an_empty_cell_is_a_day_without_a_price(written, tmp_path):
    table = read_prices(written(SIDE_BY_SIDE.replace("161.25", "")))
    assert closes(table) == {FIRST: {"KO": D("56.5")}, SECOND: CLOSES[SECOND]}

    table = read_prices(
        parquet(tmp_path, date=[FIRST, SECOND], KO=[56.5, 56.75], PEP=[None, 162.0])
    )
    assert closes(table) == {FIRST: {"KO": D("56.5")}, SECOND: CLOSES[SECOND]}


def test_numbers_that_no_price_can_have_are_kept_for_the_check(written, tmp_path):
    table = read_prices(
        written("date,KO\n2021-11-01,nan\n2021-11-02,-inf\n2021-11-03,-5\n2021-11-04,1e30\n")
    )
    nan, *others = [table.bars(row)[0].close for row in range(4)]
    assert nan.is_nan()
    assert others == [D("-Infinity"), D(-5), D("1e30")]

    table = read_prices(parquet(tmp_path, date=[FIRST], KO=[float("inf")]))
    assert closes(table) == {FIRST: {"KO": D("Infinity")}}


def test_rows_keep_the_order_of_the_file_for_the_check_to_judge(written):
    table = read_prices(written(SIDE_BY_SIDE + "2021-11-01,56,161\n"))

    assert table.days == [FIRST, SECOND, FIRST]
    assert list(table.lines) == [2, 3, 4]


def test_a_bar_twice_or_out_of_order_comes_behind_the_one_it_follows(written):
    table = read_prices(
        written(
            "symbol,date,close\n"
            "KO,2021-11-01,50\nKO,2021-11-01,51\nKO,2021-11-02,52\nKO,2021-11-01,53\n"
            "PEP,2021-11-01,160\nPEP,2021-11-02,161\n"
        )
    )

    assert [(day, table.bars(row)) for row, day in enumerate(table.days)] == [
        (FIRST, (Bar("KO", D(50)), Bar("PEP", D(160)))),
        (FIRST, (Bar("KO", D(51)),)),
        (SECOND, (Bar("KO", D(52)), Bar("PEP", D(161)))),
        (FIRST, (Bar("KO", D(53)),)),
    ]
    assert list(table.lines) == [2, 3, 4, 5]


def test_a_file_with_the_newest_first_keeps_its_line_numbers(written):
    newest_first = written("date,KO\n2021-11-03,5\n2021-11-02,4\n2021-11-01,3\n")

    assert list(read_prices(newest_first).lines) == [4, 3, 2]


@pytest.mark.parametrize(
    ("text", "row", "reason"),
    [
        pytest.param("", None, "the file is empty", id="an empty file"),
        pytest.param("date,KO\n", None, "only a header", id="a header alone"),
        pytest.param("KO,PEP\n1,2\n", None, "no column 'date'; its columns are KO", id="no date"),
        pytest.param("date\n2021-11-01\n", None, "no column of prices", id="nothing but dates"),
        pytest.param("date,KO,KO\n2021-11-01,1,2\n", 1, "is named KO", id="a symbol twice"),
        pytest.param(
            SIDE_BY_SIDE.replace("162", "n/a"), 3, "column 'PEP': 'n/a' is not a number",
            id="a price that is none",
        ),
        pytest.param(
            SIDE_BY_SIDE.replace("56.5,", "56,5,"), 2, "4 cells, the header has 3",
            id="a decimal comma",
        ),
        pytest.param(SIDE_BY_SIDE + "2021-11-03,57\n", 4, "2 cells", id="a row cut short"),
        pytest.param(SIDE_BY_SIDE + "03.11.2021,57,1\n", 4, "not a date", id="a foreign date"),
        pytest.param(SIDE_BY_SIDE + ",57,1\n", 4, "'' is not a date", id="no date in a row"),
        pytest.param(
            SIDE_BY_SIDE + "2021-11-03 09:30,57,1\n", 4, "only daily bars", id="a bar of minutes"
        ),
        pytest.param(
            BAR_A_ROW.replace("PEP,160", ",160"), 4, "no symbol", id="a bar of nothing"
        ),
        pytest.param(
            BAR_A_ROW.replace("163", "high"), 5, "column 'High': 'high' is not a number",
            id="a high that is none",
        ),
        pytest.param('date,KO\n2021-11-01,"1', 2, "no CSV", id="a quote never closed"),
        pytest.param(b"date,KO\n2021-11-01,\xff\n", 2, "neither Parquet nor CSV", id="no text"),
        pytest.param(b"\x1f\x8b\x08nonsense", None, "gzip file is damaged", id="gzip, damaged"),
        pytest.param(
            gzip.compress(SIDE_BY_SIDE.encode())[:-9], None, "gzip file is damaged", id="gzip, cut"
        ),
        pytest.param(b"PAR1nonsensePAR1", None, "Parquet file is damaged", id="Parquet, damaged"),
        pytest.param(
            "date,KO,PEP\n2021-11-01,1,\n2021-11-02,2,\n", None, "not one price of PEP",
            id="a column without a price",
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_with_row_and_reason(written, text, row, reason):
    file = written(text)

    with pytest.raises(PriceFileInvalid) as refused:
        read_prices(file)

    assert (refused.value.source, refused.value.row) == (str(file), row)
    assert reason in refused.value.reason
    assert str(refused.value).startswith(f"{file}, row {row}: " if row else f"{file}: ")


def test_a_bad_cell_of_parquet_is_named_by_its_row(tmp_path):
    with pytest.raises(PriceFileInvalid, match=r"row 2: column 'KO': 'x' is not a number"):
        read_prices(parquet(tmp_path, date=[FIRST, SECOND], KO=["1", "x"]))


def test_symbols_without_prices_are_named_beside_the_nearest(written):
    with pytest.raises(PriceFileInvalid) as refused:
        read_prices(written(SIDE_BY_SIDE), ("KO", "PEPS", "GOOGX"))

    assert refused.value.reason == (
        "no prices of PEPS, GOOGX, which universe.symbols asks for; did you mean 'PEP'? "
        "The file holds KO, PEP"
    )


def test_a_file_too_short_is_refused(written):
    with pytest.raises(PriceFileInvalid, match="too short: 2 days of prices, at least 3 are"):
        read_prices(written(SIDE_BY_SIDE), fewest=3)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PriceFileInvalid, match=r"none\.csv: can't be read: No such file"):
        read_prices(tmp_path / "none.csv")


def test_a_file_goes_by_the_name_it_was_configured_under(written):
    with pytest.raises(PriceFileInvalid, match=r"^bundled: too short"):
        read_prices(written(SIDE_BY_SIDE), fewest=3, source="bundled")
