from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.errors import ConfigError
from stream_ser.server import tokens
from stream_ser.server.rejection import Refusal
from stream_ser.server.tokens import Grant, TokenEntry, bearer, check, digest, new_token, parse

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def reason(answer: Grant | Refusal) -> str:
    assert isinstance(answer, Refusal)
    return answer.reason


def test_a_new_token_lets_in_and_its_secret_is_in_no_file() -> None:
    token = new_token("acme", "publisher", LATER)
    entries = parse(token.toml, "tokens.toml")
    assert entries == (TokenEntry("acme", "publisher", digest(token.secret), LATER),)
    assert check(entries, token.secret, "publisher", NOW) == Grant("acme", "publisher")
    assert token.secret not in token.toml
    assert token.secret not in repr(token)
    assert len(token.secret) >= 32 * 4 / 3
    assert new_token("acme", "publisher").secret != token.secret


def test_each_refusal_has_its_name() -> None:
    viewer, ended = new_token("acme", "viewer"), new_token("acme", "viewer", NOW)
    entries = parse(viewer.toml + ended.toml, "tokens.toml")
    assert reason(check(entries, None, "viewer", NOW)) == "token-missing"
    assert reason(check(entries, "", "viewer", NOW)) == "token-missing"
    assert reason(check(entries, viewer.secret + "x", "viewer", NOW)) == "token-unknown"
    assert reason(check(entries, "x" * 100_000, "viewer", NOW)) == "token-unknown"
    assert reason(check(entries, ended.secret, "viewer", NOW)) == "token-expired"
    assert isinstance(check(entries, ended.secret, "viewer", NOW - timedelta(seconds=1)), Grant)
    assert reason(check(entries, viewer.secret, "publisher", NOW)) == "token-wrong-role"
    assert reason(check(entries, viewer.secret, "admin", NOW)) == "token-wrong-role"
    assert reason(check((), viewer.secret, "viewer", NOW)) == "token-unknown"


def test_an_admin_has_every_role_of_its_tenant() -> None:
    admin = new_token("acme", "admin")
    entries = parse(admin.toml, "tokens.toml")
    for role in ("publisher", "viewer", "admin"):
        assert check(entries, admin.secret, role, NOW) == Grant("acme", "admin")  # type: ignore[arg-type]


def test_every_entry_is_compared_whichever_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [new_token(f"t{number}", "viewer") for number in range(5)]
    entries = parse("".join(token.toml for token in made), "tokens.toml")
    compared: list[str] = []
    really = hmac.compare_digest

    def compare(a: str, b: str) -> bool:
        compared.append(a)
        return really(a, b)

    monkeypatch.setattr(tokens.hmac, "compare_digest", compare)
    for token in made:
        compared.clear()
        assert isinstance(check(entries, token.secret, "viewer", NOW), Grant)
        assert compared == [entry.sha256 for entry in entries]


@given(st.text(max_size=600))
def test_no_text_is_a_token_or_an_error(secret: str) -> None:
    entries = parse(new_token("acme", "admin").toml, "tokens.toml")
    assert isinstance(check(entries, secret, "viewer", NOW), Refusal)


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Bearer abc", "abc"),
        ("bearer   abc ", "abc"),
        ("Basic abc", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("", None),
        (None, None),
    ],
)
def test_the_token_is_taken_from_its_header(header: str | None, secret: str | None) -> None:
    assert bearer(header) == secret


HASH = "0" * 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[token", "is not TOML"),
        ("x = " + "9" * 5000, "is not TOML"),
        ("x = 1", "other things than"),
        ("token = 1", "other things than"),
        ("token = [1]", "other things than"),
        (f'[[token]]\nrole = "viewer"\nsha256 = "{HASH}"', "1: tenant = None"),
        (f'[[token]]\ntenant = "a b"\nrole = "viewer"\nsha256 = "{HASH}"', "1: tenant = 'a b'"),
        (f'[[token]]\ntenant = "a"\nrole = "boss"\nsha256 = "{HASH}"', "role = 'boss'; give one of publisher"),
        (f'[[token]]\ntenant = "a"\nrole = []\nsha256 = "{HASH}"', r"role = \[\]"),
        ('[[token]]\ntenant = "a"\nrole = "viewer"\nsha256 = "geheim"', "64 hexadecimal digits"),
        (f'[[token]]\ntenant = "a"\nrole = "viewer"\nsha256 = "{HASH}"\nexpires = 2027-01-01', "time and zone"),
        (f'[[token]]\ntenant = "a"\nrole = "viewer"\nsha256 = "{HASH}"\nexpire = 1', "the key 'expire'; use tenant"),
        (f'[[token]]\ntenant = "a"\nrole = "viewer"\nsha256 = "{HASH}"\n' * 2, "the same sha256 twice"),
    ],
)
def test_a_wrong_file_is_refused_and_its_place_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as told:
        parse(text, "tokens.toml")
    assert "tokens.toml" in str(told.value)
    assert "geheim" not in str(told.value)


@pytest.mark.parametrize(
    ("tenant", "role", "expires"),
    [('a"\nrole = "admin', "viewer", None), ("acme", "boss", None), ("acme", "viewer", datetime(2027, 1, 1))],
)
def test_no_token_is_made_that_the_file_could_not_hold(tenant: str, role: str, expires: datetime | None) -> None:
    with pytest.raises(ConfigError):
        new_token(tenant, role, expires)


def test_an_end_in_another_time_zone_is_the_same_moment() -> None:
    local = LATER.astimezone(timezone(timedelta(hours=5)))
    assert parse(new_token("acme", "viewer", local).toml, "tokens.toml")[0].expires == LATER
