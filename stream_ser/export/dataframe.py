"""A stream's points as a pandas DataFrame: the columns of the CSV file, with the feed's values.

pandas is imported when somebody calls this, so nobody else needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from stream_ser.errors import ConfigError
from stream_ser.export.table import columns, row
from stream_ser.feed.message_types import Message

if TYPE_CHECKING:
    from pandas import DataFrame


def dataframe(messages: Iterable[Message]) -> DataFrame:
    """One row a point, in order. NaN or None is a null: the model was not asked, or there is no label.

    Raises ConfigError where pandas is not installed.
    """
    if find_spec("pandas") is None:
        raise ConfigError("data frames need pandas, which is not installed", fix="pip install pandas, or use to_csv()")
    import pandas

    names: list[str] = []
    rows: list[list[Any]] = []
    labels: list[str] = []
    dimensions: list[str] = []
    for message in messages:
        if message["type"] == "hello" and not names:
            labels, dimensions = message["labels"], message["dimensions"]
            names = columns(labels, dimensions)
        elif message["type"] == "point":
            rows.append(row(message, labels, dimensions))
    frame = pandas.DataFrame(rows, columns=names)
    numbers = [f"{kind}_{label}" for kind in ("raw", "smoothed") for label in labels] + dimensions
    return frame.astype(dict.fromkeys(numbers, "float64"))  # else a column of nulls alone would hold objects
