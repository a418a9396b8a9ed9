"""One table of settings: defaults, text values, ranges, errors that name them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.config import ENV_PREFIX, Config, Setting, settings
from streams.errors import ConfigError

_NUMBERS = [setting for setting in settings() if setting.type in (int, float)]
_TABLE = {setting.name: setting for setting in settings()}


def _config(name: str, value: Any) -> Config:
    changes: dict[str, Any] = {name: value}
    return Config(**changes)


def test_table_is_the_fields_of_config() -> None:
    config = Config()
    assert [field.name for field in dataclasses.fields(Config)] == list(_TABLE)
    assert all(getattr(config, name) == s.default for name, s in _TABLE.items())


@pytest.mark.parametrize("setting", settings(), ids=lambda setting: setting.name)
def test_each_setting_is_documented_and_settable(setting: Setting) -> None:
    assert setting.help.endswith(".")
    assert setting.environment == ENV_PREFIX + setting.name.upper()
    text = str(setting.default)
    config = Config.from_mapping({setting.environment: text})
    assert getattr(config, setting.name) == setting.default
    assert type(getattr(config, setting.name)) is setting.type


@pytest.mark.parametrize("setting", _NUMBERS, ids=lambda setting: setting.name)
def test_numbers_have_units_and_are_named_when_they_are_none(setting: Setting) -> None:
    assert setting.unit
    with pytest.raises(ConfigError, match=f"{setting.environment}='many'"):
        Config.from_mapping({setting.environment: "many"})


@pytest.mark.parametrize("setting", _NUMBERS, ids=lambda setting: setting.name)
def test_too_small_is_refused(setting: Setting) -> None:
    assert setting.minimum is not None
    _config(setting.name, setting.type(setting.minimum))
    with pytest.raises(ConfigError, match=rf"setting {setting.name} = .* below"):
        _config(setting.name, setting.minimum - 1)


def test_choices_are_kept_to() -> None:
    chosen = [setting for setting in settings() if setting.choices]
    assert "mode" in {setting.name for setting in chosen}
    for setting in chosen:
        for choice in setting.choices:
            assert getattr(_config(setting.name, choice), setting.name) == choice
        with pytest.raises(ConfigError, match="is none of"):
            _config(setting.name, "whatever")


@given(st.floats(0.01, 1e6))
def test_text_is_read_as_it_was_written(interval: float) -> None:
    config = Config.from_mapping({"DISTILLWATCH_FLUSH_INTERVAL": repr(interval)})
    assert config.flush_interval == interval


def test_unknown_names_are_refused_and_others_are_not_ours() -> None:
    with pytest.raises(ConfigError, match="no setting is called DISTILLWATCH_MOOD"):
        Config.from_mapping({"DISTILLWATCH_MOOD": "good"})
    assert Config.from_mapping({"HOME": "somewhere", "MODE": "enforce"}) == Config()


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), (" ON ", True), ("0", False), ("no", False)]
)
def test_switches(text: str, *, value: bool) -> None:
    switch = dataclasses.replace(_TABLE["mode"], type=bool, choices=())
    assert switch.parse(text) is value
    with pytest.raises(ConfigError, match="not a bool"):
        switch.parse("maybe")


def test_a_secret_is_never_shown() -> None:
    secret = dataclasses.replace(_TABLE["flush_interval"], secret=True)
    with pytest.raises(ConfigError) as raised:
        secret.parse("hunter2")
    assert "hunter2" not in str(raised.value)
    assert "(hidden)" in str(raised.value)


def test_a_config_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().mode = "enforce"  # type: ignore[misc] # that is the point
