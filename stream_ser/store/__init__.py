"""Results kept for good: calls, their streams and every message with a number, by SQLite or PostgreSQL.

Import ``stream_ser.store.store`` to read and delete, ``.writer`` to write while calls go on. Sound is never stored.
"""

from __future__ import annotations

from importlib.util import find_spec

from stream_ser.errors import ConfigError

if find_spec("sqlalchemy") is None:
    raise ConfigError("SQLAlchemy, which stores results, is not installed", fix="run pip install 'stream-ser[serve]'")
