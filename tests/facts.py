"""Any event, any snapshot: strategies made of the types themselves, so that none is forgotten."""

from datetime import UTC
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

INT64 = (1 << 63) - 1

texts = st.text(max_size=8)
amounts = st.integers(-INT64, INT64).map(lambda n: Decimal(n).scaleb(-6))
times = st.datetimes(timezones=st.just(UTC))


def any_of(kind: type) -> st.SearchStrategy[Any]:
    """Values of a type, over all that its annotations allow."""
    return values(inspect.type_info(kind))


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Values of a type as msgspec sees it."""
    match kind:
        case inspect.StructType(cls=cls, fields=fields):
            return st.builds(cls, **{field.name: values(field.type) for field in fields})
        case inspect.VarTupleType(item_type=item):
            return st.lists(values(item), max_size=3).map(tuple)
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(values(key), values(value), max_size=3)
        case inspect.UnionType(types=types):
            return st.one_of([values(each) for each in types])
        case inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case inspect.LiteralType(values=choices):
            return st.sampled_from(choices)
        case inspect.IntType(ge=least, le=most):
            return st.integers(-INT64 if least is None else least, INT64 if most is None else most)
        case inspect.FloatType(ge=least, le=most):
            return st.floats(least, most, allow_nan=False, allow_infinity=False)
    plain = {
        inspect.StrType: texts,
        inspect.DecimalType: amounts,
        inspect.DateTimeType: times,
        inspect.DateType: st.dates(),
        inspect.BoolType: st.booleans(),
        inspect.BytesType: st.binary(max_size=8),
        inspect.NoneType: st.none(),
    }
    return plain[type(kind)]
