"""``st2kv`` in templates: what is read, when, and how often."""

from __future__ import annotations

import pytest

from st2common.expressions import DatastoreNamespace, RenderError, datastore_namespace, render

STORE = {("st2kv.system", "a.b"): "1", ("st2kv.user", "joe:a.b"): "mine", ("st2kv.system", "secret"): "CAFE"}


@pytest.fixture
def reads() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def st2kv(reads: list[tuple[str, str]]) -> DatastoreNamespace:
    def read(scope: str, name: str) -> str | None:
        reads.append((scope, name))
        return STORE.get((scope, name))

    return datastore_namespace(read, user="joe", decrypt=lambda text: f"plain {text}")


def test_each_key_is_read_once_and_not_before_it_is_needed(st2kv: DatastoreNamespace, reads: list[tuple[str, str]]) -> None:
    template = "{% set key = st2kv.system.a.b %}{% if flag %}{{ key }}{{ key | int + 1 }}{% endif %}"
    assert render(template, {"st2kv": st2kv, "flag": False}) == ""
    assert reads == []
    assert render(template, {"st2kv": st2kv, "flag": True}) == "12"
    assert reads == [("st2kv.system", "a.b")]


def test_user_keys_carry_the_user(st2kv: DatastoreNamespace, reads: list[tuple[str, str]]) -> None:
    assert render("{{ st2kv.user['a.b'] }}{{ st2kv['user'].a.b }}", {"st2kv": st2kv}) == "minemine"
    assert reads == [("st2kv.user", "joe:a.b")]


def test_without_a_user_there_is_no_user_scope() -> None:
    with pytest.raises(RenderError):
        render("{{ st2kv.user.x }}", {"st2kv": datastore_namespace(lambda scope, name: None)})


def test_any_word_may_be_a_key() -> None:
    st2kv = datastore_namespace(lambda scope, name: f"<{name}>", user="joe")
    for key in ("get", "keys", "items", "read", "path", "user", "system", "decrypt", "values"):
        assert render("{{ st2kv.system." + key + " }}", {"st2kv": st2kv}) == f"<{key}>"


@pytest.mark.parametrize("template", ["{% for x in st2kv.system.a %}{% endfor %}", "{{ 1 in st2kv.system.a }}", "{{ st2kv.system.a() }}"])
def test_a_lookup_is_no_list_and_no_function(st2kv: DatastoreNamespace, template: str) -> None:
    with pytest.raises(RenderError):
        render(template, {"st2kv": st2kv})


def test_decryption_of_keys_and_of_text(st2kv: DatastoreNamespace) -> None:
    assert render("{{ st2kv.system.secret | decrypt_kv }}", {"st2kv": st2kv}) == "plain CAFE"
    assert render("{{ 'BABE' | decrypt_kv }}", {"st2kv": st2kv}) == "plain BABE"


def test_decryption_needs_a_key() -> None:
    for variables in ({}, {"st2kv": datastore_namespace(lambda scope, name: "CAFE")}):
        with pytest.raises(RenderError):
            render("{{ 'CAFE' | decrypt_kv }}", variables)
