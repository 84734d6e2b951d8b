"""The tables. Pure: nothing here touches a database.

``messages`` has one row for each numbered message of the feed; its key is (tenant, seq), so a message that is written twice
is there once. ``tenants`` remembers the highest number that was ever stored, also when the messages are deleted: a number is
never given to a second message, and whoever resumes by number is not fooled. Times are milliseconds since 1970, UTC.

A call's name may be used again when the call is over. Each use is a run, with a call, streams and hellos of its own, and every
message says which run it is of: so it keeps the labels, hop and model that it was made with.

``holes`` has the numbers that no row has. For those who read everything the numbers themselves tell what is missing; for those
who read one call or one stream nothing else does. ``lost`` ranges were never stored, all of them; in ``removed`` ones some are
gone, always whole runs, and of a name the oldest first.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

VERSION = 2
NAME_LENGTH = 256  # characters of a tenant, a call, a stream, a type

metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("epoch", String(32), nullable=False),  # what the numbers of messages mean something in
    Column("origin", Text),  # where the database was when a server last claimed it: see ``continuity``
)

tenants = Table(
    "tenants",
    metadata,
    Column("tenant", String(NAME_LENGTH), primary_key=True),
    Column("last_seq", BigInteger, nullable=False),  # of a stored message
)

calls = Table(
    "calls",
    metadata,
    Column("tenant", String(NAME_LENGTH), primary_key=True),
    Column("call", String(NAME_LENGTH), primary_key=True),
    Column("run", Integer, primary_key=True, autoincrement=False),  # 1, 2, …: how often the name was used
    Column("state", String(16), nullable=False),  # open, ended, interrupted
    Column("opened_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("consent", String(16), nullable=False),
    Column("purpose", Text),  # why the agent's voice was analysed; null where it was not
    Column("summary", Text),  # JSON
    Index("calls_by_end", "ended_ms"),
    Index("calls_by_begin", "tenant", "opened_ms", "call", "run"),
)

streams = Table(
    "streams",
    metadata,
    Column("tenant", String(NAME_LENGTH), primary_key=True),
    Column("call", String(NAME_LENGTH), primary_key=True),
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("stream", String(NAME_LENGTH), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("hello", Text),  # JSON; null until the stream has said hello
)

lease = Table(  # who writes; not in stores of earlier versions, so it is made where it lacks
    "lease",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("holder", String(NAME_LENGTH), nullable=False),
    Column("renewed_ms", BigInteger, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("tenant", String(NAME_LENGTH), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("call", String(NAME_LENGTH), nullable=False),
    Column("stream", String(NAME_LENGTH)),
    Column("type", String(NAME_LENGTH), nullable=False),
    Column("end_sample", BigInteger),
    Column("text", Text, nullable=False),  # the message as JSON, as it goes over the wire
    Column("run", Integer, nullable=False, server_default="1"),  # of the call
    Index("messages_by_call", "tenant", "call", "seq"),
    Index("messages_by_stream", "tenant", "stream", "seq"),
)

holes = Table(
    "holes",
    metadata,
    Column("tenant", String(NAME_LENGTH), primary_key=True),
    Column("kind", String(8), primary_key=True),  # lost, removed
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)
