from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream_ser.errors import ConfigError
from stream_ser.server.addresses import is_origin
from stream_ser.server.config import AudioSocketSettings, Limits, ServeConfig, SettingError
from stream_ser.server.secret import Secret
from stream_ser.server.settings import ELSEWHERE, Setting, add_flags, load, settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "serve.toml"


def parse(*arguments: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_flags(parser)
    return vars(parser.parse_args(arguments))


def by_name(name: str) -> Setting:
    return next(setting for setting in settings() if setting.name == name)


def test_nothing_given_is_every_default_and_stays_on_this_machine() -> None:
    config = load(None, {}, {})
    assert config == ServeConfig()
    assert (config.host, config.tokens, config.agents) == ("127.0.0.1", None, "off")


def test_every_setting_is_documented_under_its_name_alone() -> None:
    assert all(setting.doc.strip().endswith(".") for setting in settings())
    parts = [getattr(ServeConfig(), field.name) for field in dataclasses.fields(ServeConfig)]
    tables = [part for part in parts if dataclasses.is_dataclass(part)]
    assert len(settings()) == len(parts) + sum(len(dataclasses.fields(table)) - 1 for table in tables)
    assert {Limits, AudioSocketSettings} < {type(table) for table in tables}
    for values in ("name", "variable", "flag"):
        assert len({getattr(setting, values) for setting in settings()}) == len(settings())
    assert not {setting.variable for setting in settings()} & ELSEWHERE


def test_help_shows_every_docstring() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    shown = " ".join(parser.format_help().split())
    for setting in settings():
        assert setting.flag in shown
        assert setting.doc.split()[0] in shown


def test_flags_go_above_the_environment_and_that_above_the_file(path: Path) -> None:
    path.write_text("port = 1001\nhop = 1\ndrain_s = 5\n[limits]\nburst_s = 2.5\nconnections = 7\n")
    environ = {"STREAM_SER_PORT": "1002", "STREAM_SER_HOP": "0.25", "STREAM_SER_LIMITS_CONNECTIONS": "8", "HOME": "/"}
    config = load(path, environ, parse("--port", "1003"))
    assert (config.port, config.hop, config.drain_s) == (1003, 0.25, 5.0)
    assert (config.limits.burst_s, config.limits.connections) == (2.5, 8)


@given(
    values=st.tuples(*[st.none() | st.integers(0, 65_535)] * 3),
    name=st.sampled_from(["port", "limits.connections"]),
)
def test_the_highest_source_that_says_anything_wins(
    tmp_path_factory: pytest.TempPathFactory, values: tuple[int | None, ...], name: str
) -> None:
    setting = by_name(name)
    values = tuple(None if value is None else max(value, 1) for value in values)
    file, variable, flag = values
    path = tmp_path_factory.mktemp("config") / "serve.toml"
    path.write_text("" if file is None else f"{name} = {file}\n")
    environ = {} if variable is None else {setting.variable: str(variable)}
    config = load(path, environ, parse() if flag is None else parse(setting.flag, str(flag)))
    said = [value for value in (flag, variable, file) if value is not None]
    seen = config.port if name == "port" else config.limits.connections
    assert seen == (said[0] if said else setting.default)


def test_the_environment_names_the_file_and_other_variables_of_the_program_are_no_settings(path: Path) -> None:
    path.write_text("port = 1001")
    assert (
        load(None, {"STREAM_SER_CONFIG": str(path), "STREAM_SER_DATA": "x", "STREAM_SER_PRETRAINED": "y"}, {}).port
        == 1001
    )


def test_an_empty_variable_is_not_set() -> None:
    assert load(None, {"STREAM_SER_TOKENS": "", "STREAM_SER_PORT": ""}, {}) == ServeConfig()


def test_paths_of_the_file_begin_at_its_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text('rules = "rules.toml"\n[audiohook]\napi_key = "file:key"\n')
    (path.parent / "rules.toml").touch()
    (path.parent / "key").write_text("geheim\n")
    config = load(path, {}, {})
    assert config.rules == path.parent / "rules.toml"
    assert config.audiohook.api_key is not None
    assert config.audiohook.api_key.read({}) == "geheim"
    assert "geheim" not in repr(config)
    monkeypatch.chdir(path.parent)
    assert load(None, {}, parse("--rules", "rules.toml")).rules == Path("rules.toml")


def test_lists_and_switches_can_be_said_everywhere(path: Path) -> None:
    path.write_text('origins = ["https://a.example", "http://b:81"]\nconsent_required = true\n')
    config = load(path, {"STREAM_SER_METRICS": "off"}, parse("--audiosocket-peers", "10.0.0.7, 10.1.0.0/16"))
    assert config.origins == ("https://a.example", "http://b:81")
    assert config.audiosocket.peers == ("10.0.0.7", "10.1.0.0/16")
    assert (config.consent_required, config.metrics) == (True, False)
    assert load(path, {}, parse("--no-consent-required")).consent_required is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = ", "is not TOML"),
        ("prot = 1", "the key 'prot' is unknown; use host, port"),
        ("[limits]\nburst = 1", "the key 'limits.burst' is unknown; use limits.connections"),
        ("[limit]\nx = 1", "the key 'limit' is unknown"),
        ("[twilio]\ntenant = 'a b'", "twilio.tenant = 'a b' is no tenant; give 1 to 64 letters"),
        ("[audiohook]\ntenant = ''", "audiohook.tenant = '' is no tenant"),
        ("[audiosocket]\ntenant = '../x'", "audiosocket.tenant = '../x' is no tenant"),
        ("limits = 1", "the key 'limits' is unknown"),
        ("port = '80'", ""),
        ("port = 99999", "port = 99999 is out of range; give 0 to 65535"),
        ("port = -1", "out of range"),
        ("port = 1.5", "port = 1.5 is not a whole number"),
        ("port = true", "port = True is not a whole number"),
        ("hop = nan", "hop = nan is out of range; give 0.02 to 60"),
        ("hop = inf", "hop = inf is out of range"),
        ("hop = '1 s'", "hop = '1 s' is not a number"),
        ("metrics = 1", "metrics = 1 is neither true nor false"),
        ("host = 1", "host = 1 is not text"),
        ("host = 'a b'", "host = 'a b' is no address"),
        ("model = ''", "model is empty"),
        ("origins = 'https://a/b'", "origins has 'https://a/b', which is no site"),
        ("origins = ['*']", "which is no site"),
        ("origins = [1]", r"origins = \[1\] is not text; give a list of texts"),
        ("trusted_proxies = ['nobody']", "trusted_proxies has 'nobody'"),
        ("trusted_proxies = ['10.0.0.1/8']", "has host bits set"),
        ("tokens = 'absent.toml'", r"absent.toml' is not a file; check the path"),
        ("agents = 'emotion'", "no purpose is stated; set agents to emotion and state"),
        ("agents_purpose = 'safety'", "agents is off; set agents to emotion"),
        ("agents = 'turns'\nagents_purpose = 'safety'", "agents is turns; set agents to emotion"),
        ("spectrograms = 'viewer'", "spectrograms is viewer, and no purpose is stated; set spectrograms to"),
        ("spectrograms_purpose = 'x'", "spectrograms_purpose is stated, but spectrograms is off"),
        ("spectrograms = true", "spectrograms = True is unknown; choose one of off, admin, viewer"),
        ("agents = true", "agents = True is unknown; choose one of off, turns, emotion"),
        ("host = '0.0.0.0'", "would travel unencrypted; set tls_cert and tls_key, or trusted_proxies"),
        ("host = ''", "no address"),
        ("host = '::'", "unencrypted"),
        ("host = 'desk.example.org'", "unencrypted"),
        ("trusted_proxies = ['10.0.0.1']", "trusted_proxies lets other machines in, and there are no tokens"),
        ("[audiosocket]\nlisten = '0.0.0.0:9092'", "asks for no token; set audiosocket.peers"),
        ("[audiosocket]\nlisten = '9092'", "audiosocket.listen = '9092' is no address"),
        ("[audiosocket]\nlisten = '::1:9092'", "is no address"),
        ("[audiosocket]\nlisten = 'a:99999'", "is no address"),
        ("[audiosocket]\nrole = 'boss'", "role = 'boss' is unknown; choose one of customer, agent, unknown"),
        ("[audiohook]\norganization = 'x'", "audiohook.api_key is not set"),
        ("store = 'postgresql://a:geheim@host/x'", "store has a password, which others can read there; move it"),
        ("[twilio]\nauth_token = 'geheim'", "does not say file:PATH or env:NAME; put the secret into a file"),
        ("[twilio]\nauth_token = 'geheim:geheim'", "does not say file:PATH or env:NAME"),
    ],
)
def test_what_cannot_be_is_refused_with_file_key_value_and_remedy(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    if not words:
        assert load(path, {}, {}).port == 80  # digits in quotes are as good
        return
    with pytest.raises(ConfigError, match=words) as told:
        load(path, {}, {})
    assert str(path) in str(told.value) or "is not set" in str(told.value)
    assert "geheim" not in str(told.value)


def test_errors_name_the_variable_or_flag_that_said_it() -> None:
    with pytest.raises(ConfigError, match=r"^STREAM_SER_PORT: port = 'x' is not a whole number; give digits"):
        load(None, {"STREAM_SER_PORT": "x"}, {})
    with pytest.raises(ConfigError, match=r"^--host: host = '::' is reached from other machines"):
        load(None, {"STREAM_SER_HOST": "127.0.0.1"}, parse("--host", "::"))
    with pytest.raises(ConfigError, match="variable STREAM_SER_PROT is no setting"):
        load(None, {"STREAM_SER_PROT": "1"}, {})


def test_other_machines_are_let_in_with_tls_or_a_declared_proxy_and_tokens(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("cert.pem", "key.pem", "tokens.toml")]
    for file in files:
        file.touch()
    cert, key, tokens = files
    assert ServeConfig(host="0.0.0.0", tls_cert=cert, tls_key=key, tokens=tokens).behind_proxy is False
    assert ServeConfig(host="0.0.0.0", trusted_proxies=("10.0.0.1",), tokens=tokens).behind_proxy is True
    assert ServeConfig(audiosocket=AudioSocketSettings(listen="0.0.0.0:9092", peers=("10.0.0.7",)))
    with pytest.raises(SettingError, match="there are no tokens"):
        ServeConfig(host="0.0.0.0", tls_cert=cert, tls_key=key)
    with pytest.raises(SettingError, match="tls_cert is set without tls_key; set both"):
        ServeConfig(tls_cert=cert)
    with pytest.raises(SettingError, match="tls_key is set without tls_cert"):
        ServeConfig(tls_key=key)


def test_a_password_may_come_by_the_environment_and_is_not_shown() -> None:
    config = load(None, {"STREAM_SER_STORE": "postgresql://a:geheim@host/x"}, {})
    assert "geheim" in config.store
    assert "geheim" not in repr(config)
    with pytest.raises(ConfigError, match="has a password"):
        load(None, {}, parse("--store", "postgresql://a:geheim@host/x"))


def test_a_file_that_is_not_there_or_no_text_is_named(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*No such file"):
        load(path, {}, {})
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not TOML"):
        load(path, {}, {})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x = " + "9" * 9000, id="digits"),
        pytest.param("port = 0x" + "f" * 9000, id="hexadecimal"),
        pytest.param("x = " + "[" * 9000, id="lists in lists"),
        pytest.param("hop = 1" + "0" * 400, id="no float"),
    ],
)
def test_a_file_that_wears_out_the_reader_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError):
        load(path, {}, {})


def usable(make: Callable[[], ServeConfig]) -> ServeConfig | None:
    """The config, or None where a person gets a short line that says what to do. Nothing else may come out."""
    try:
        return make()
    except ConfigError as error:
        refused = error
    assert refused.fix
    assert len(str(refused)) < 500
    return None


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.text(), max_size=3),
    st.dictionaries(st.text(), st.integers(), max_size=2),
)  # fmt: skip


@given(given_values=st.dictionaries(st.sampled_from([setting.name for setting in settings()]), anything, max_size=4))
@example({"rules": "~nobody-of-this-name/x"})
@example({"rules": "a" * 5000})
@example({"port": 10**9000})
def test_whatever_is_given_makes_a_usable_config_or_a_config_error(given_values: dict[str, Any]) -> None:
    config = usable(lambda: load(None, {}, given_values))
    if config is None:
        return
    for part in (config, config.limits):
        for item in dataclasses.fields(part):
            if "least" in item.metadata:
                value = getattr(part, item.name)
                assert math.isfinite(value)
                assert item.metadata["least"] <= value <= item.metadata["most"]


@given(st.dictionaries(st.sampled_from([setting.variable for setting in settings()]), st.text(), max_size=4))
def test_whatever_the_environment_says_makes_a_config_or_a_config_error(environ: dict[str, str]) -> None:
    usable(lambda: load(None, environ, {}))


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("https://a.example", True),
        ("http://localhost:3000", True),
        ("https://[::1]:8443", True),
        ("https://a.example/", False),
        ("https://a.example:x", False),
        ("https://u@a.example", False),
        ("ftp://a.example", False),
        ("a.example", False),
        ("null", False),
        ("https://*.example", False),
        ("", False),
        ("https://", False),
    ],
)
def test_origins_are_what_browsers_send(text: str, yes: bool) -> None:
    assert is_origin(text) is yes


def test_a_secret_is_read_when_it_is_needed(tmp_path: Path) -> None:
    assert Secret.parse("env:TOKEN").read({"TOKEN": " geheim\n"}) == "geheim"
    with pytest.raises(ConfigError, match="variable TOKEN has no secret; set it"):
        Secret.parse("env:TOKEN").read({})
    file = tmp_path / "secret"
    with pytest.raises(ConfigError, match=r"cannot read the secret in .*FileNotFoundError"):
        Secret.parse(f"file:{file}").read({})
    file.write_text(" \n")
    with pytest.raises(ConfigError, match="has no secret; write it there"):
        Secret.parse(f"file:{file}").read({})
