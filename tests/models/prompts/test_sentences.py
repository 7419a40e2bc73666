import subprocess
import sys

import pytest

from promptreid.errors import ConfigError
from promptreid.models.prompts.sentences import (
    SentenceFields,
    fill_init,
    fill_prompts,
    fill_template,
    split_fields,
    template_fields,
)


def test_fields_are_named_once_in_order_without_the_context():
    templates = ["a {tone} {context} of a {nail polish}", "{ side } {tone}", "plain"]
    assert template_fields(templates) == ("tone", "nail polish", "side")


@pytest.mark.parametrize("template", ["a {", "a }", "a {}", "a { }", "a {{b}}", "a {b}}"])
def test_stray_braces_are_refused(template):
    with pytest.raises(ConfigError, match="not closed, not opened, or encloses nothing"):
        template_fields([template])
    with pytest.raises(ConfigError, match="not closed"):
        fill_template(template, {"b": "c"})


def test_underscores_of_values_become_spaces_and_those_of_the_template_stay():
    values = {"side": "dorsal_right", "skin_tone": " very__fair "}
    filled = fill_template("a_b {side} hand, {skin_tone}, {context}", values)
    assert filled == "a_b dorsal right hand, very fair, {context}"


def test_the_context_is_filled_when_it_is_given():
    assert fill_template("a {context} hand", {"context": "X X"}) == "a X X hand"


def test_values_are_not_read_as_templates():
    assert fill_template("a {b}", {"b": "{c}"}) == "a {c}"


def test_an_unknown_field_names_those_there_are():
    with pytest.raises(ConfigError, match=r"named 'tones'.*'tone'.*Known: side, tone"):
        fill_template("a {tones} hand", {"tone": "dark", "side": "left"})


def test_constant_fields_are_told_from_varying_ones():
    columns = {
        "sex": ["f", "f", "m", "m"],
        "side": ["l", "r", "r", "r"],
        "age": ["1", "1", "1", "2"],
    }
    fields, variants = split_fields(columns, [1, 1, 0, 0], 2)
    assert fields.identity == {"sex": ("m", "f")}
    assert fields.variants == (
        {"side": "l", "age": "1"},
        {"side": "r", "age": "1"},
        {"side": "r", "age": "2"},
    )
    assert variants == [0, 1, 1, 2]
    for row, variant in enumerate(variants):
        assert {name: values[row] for name, values in columns.items() if name != "sex"} == (
            fields.variants[variant]
        )


def test_a_field_of_identities_with_one_sample_is_constant():
    fields, variants = split_fields({"side": ["l", "r"]}, [0, 1], 2)
    assert fields == SentenceFields({"side": ("l", "r")})
    assert variants == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"identity": {"a": ("x",), "b": ("x", "y")}}, "one value per identity"),
        ({"variants": ({"a": "x"}, {"b": "y"})}, "same fields"),
        ({"variants": ()}, "same fields"),
        ({"identity": {"a": ("x",)}, "variants": ({"a": "x"},)}, "give each once"),
        ({"identity": {"a": ("x", " ")}}, "empty value"),
        ({"variants": ({"a": ""},)}, "empty value"),
    ],
)
def test_contradictory_fields_are_refused(arguments, words):
    with pytest.raises(ConfigError, match=words):
        SentenceFields(**arguments)


def test_the_prompts_of_an_ensemble_take_the_templates_in_turn():
    fields = SentenceFields({"tone": ("dark", "fair")}, ({"side": "left"}, {"side": "right"}))
    templates = ("{context} {tone}", "{side} {context}")
    sentences, numbers = fill_prompts(templates, fields, identities=2, ensemble=3)
    assert len(sentences) == len(set(sentences)) == 4
    found = [[[sentences[n] for n in row] for row in variant] for variant in numbers]
    assert found == [
        [
            [f"{{context}} {tone}", f"{side} {{context}}", f"{{context}} {tone}"]
            for tone in ("dark", "fair")
        ]
        for side in ("left", "right")
    ]


def test_beginnings_of_tokens():
    fields = SentenceFields({"tone": ("dark", "fair")}, ({"side": "left"},))
    assert fill_init("a {tone}", fields, identities=2, shared=False) == ["a dark", "a fair"]
    assert fill_init("a", fields, identities=2, shared=True) == ["a"]
    same = SentenceFields({"tone": ("dark", "dark")})
    assert fill_init("{tone}", same, identities=2, shared=True) == ["dark"]
    for init, words in (("{side}", "varies"), ("{context}", "is what starts")):
        with pytest.raises(ConfigError, match=words):
            fill_init(init, fields, identities=2, shared=False)


def test_sentences_need_no_torch():
    code = "import sys, promptreid.models.prompts.sentences; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
