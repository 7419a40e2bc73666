"""YAML: plain values, within limits, each mistake with its place; never a hang or a crash."""

import contextlib
import json
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.config.reading.yaml_reader import MOST_VALUES, YamlError, parse_yaml

# Controls and the like are not written by either side as YAML reads them.
TEXTS = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Cn", "Zl", "Zp")), max_size=12)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def problem(text):
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-12", -12), ("0.5", 0.5), ("1e-05", 1e-5), ("1e+16", 1e16), ("-2.5", -2.5),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        # What is no number in Python's own spelling stays as it was typed.
        ("5e-4", "5e-4"), ("1_000", "1_000"), ("007", "007"), ("0.50", "0.50"), ("+1", "+1"),
        (".5", ".5"), (".inf", ".inf"), ("0x10", "0x10"), ("1:30", "1:30"), ("1.0e-5", "1.0e-5"),
        # Words and dates are text, as in YAML 1.2.
        ("yes", "yes"), ("no", "no"), ("2001-99-99", "2001-99-99"), ("=", "="),
        ("9" * 5000, "9" * 5000), ("'1'", "1"), ('"true"', "true"), ("! 1", "1"), ("!!str 1", "1"),
        ("!!int 3", 3), ("!!float 3", 3.0), ("!!null ~", None), ("!!bool true", True),
        ("!!map {a: 1}", {"a": 1}), ("!!seq [1]", [1]),
        ("a: 1\nb: [x, {c: }]", {"a": 1, "b": ["x", {"c": None}]}),
        ("1: a\nnull: b\ntrue: c", {"1": "a", "null": "b", "true": "c"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("&k a: 1\nb: *k", {"a": 1, "b": "a"}),
        ("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}", {"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}}),
        ("- &x {a: 1}\n- &y {a: 2, b: 2}\n- {<<: [*x, *y]}",
         [{"a": 1}, {"a": 2, "b": 2}, {"a": 1, "b": 2}]),
        ("'<<': 1", {"<<": 1}),
    ],
)  # fmt: skip
def test_values(text, value):
    found = parse_yaml(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: !!int abc", "line 1, column 4: 'abc' is not what !!int says"),
        ("a: !!float abc", "not what !!float"), ("a: !!bool x", "not what !!bool"),
        ("a: !!null x", "not what !!null"), ("a: !!int true", "not what !!int"),
        ("a: !!timestamp x", "the tag !!timestamp is not read"), ("!!set {a}", "the tag !!set"),
        ("a: !!binary AAAA", "the tag !!binary"), ("!!omap [a: 1]", "the tag !!omap"),
        ("!!python/object/apply:os.system [ls]", "the tag !!python/object/apply:os.system"),
        ("!mine x", "the tag !mine"), ("!!map [1]", "the tag !!map"),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' is given twice"),
        ("[1, 2", "flow sequence"), ("a: {context} b", "line 1"), ("a\tb: c: d", "line 1"),
        ("--- 1\n--- 2", "line 2, column 1: a second document"),
        ("a: *x", "the alias *x is not defined before"),
        ("a: &x [1, *x]", "the alias *x stands within itself"),
        ("[a]: 1", "a key must be a text"), ("? {a: 1}\n: 2", "a key must be a text"),
        ("<<: 1", "<< takes a mapping"), ("<<: [1]", "<< takes a mapping"),
        ("a: b\0c", "line 1, column 5: a character that YAML does not allow (U+0000)"),
        ("x: 1\ny: \x1b", "line 2, column 4: a character that YAML does not allow (U+001B)"),
        ("%YAML 9.9\n---\na", "line 1"), ("x" * (2**20 + 1), "1,048,577 characters"),
    ],
)  # fmt: skip
def test_mistakes_have_a_place(text, words):
    assert words in problem(text)


def bomb(*, merge):
    lines = ["a0: &a0 " + ("{k: 1}" if merge else "[x, x]")]
    for number in range(1, 12):
        parts = ", ".join([f"*a{number - 1}"] * 10)
        body = f"{{<<: [{parts}], k{number}: 1}}" if merge else f"[{parts}]"
        lines.append(f"a{number}: &a{number} {body}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb(merge=False), bomb(merge=True), "[" * 100_000 + "]" * 100_000, "{" * 500_000,
        "{a: " * 100_000, "? " * 200_000, "- " * 200_000, "a: [" + "x," * 400_000 + "]",
        "\n".join(" " * depth + "a:" for depth in range(1000)), "&a " * 100_000, "!" * 500_000,
        "'" * 500_001, '"\\x' * 100_000, "a: |\n" + " x\n" * 200_000, "# " * 500_000 + "\n[",
        "%TAG ! !\n" * 50_000, "*a" * 200_000, "[a, " * 45 + "]" * 45, "k: " * 100_000,
    ],
    ids=range(19),
)  # fmt: skip
def test_nothing_takes_long_or_ends_the_process(text):
    begun = time.process_time()
    with contextlib.suppress(YamlError):
        parse_yaml(text)
    assert time.process_time() - begun < 4


def test_as_many_values_as_the_limit_says_are_read():
    assert len(parse_yaml("[" + "x," * (MOST_VALUES - 1) + "]")) == MOST_VALUES - 1
    assert "more than 100,000 values" in problem("[" + "x," * MOST_VALUES + "]")


def test_aliases_are_copies():
    tree = parse_yaml("a: &x {b: [1]}\nc: *x")
    tree["a"]["b"].append(2)
    assert tree["c"] == {"b": [1]}


@given(TREES)
def test_json_is_read_as_json(tree):
    text = json.dumps(tree, ensure_ascii=False)
    assert parse_yaml(text) == tree


@given(TREES)
def test_what_pyyaml_writes_is_read_as_it_was_but_for_spellings_of_numbers(tree):
    def spelled(value):
        if isinstance(value, list):
            return [spelled(item) for item in value]
        if isinstance(value, dict):
            return {key: spelled(item) for key, item in value.items()}
        return float(value) if isinstance(value, (int, float)) and value is not True else value

    def numbered(value, like):
        if isinstance(like, list):
            return [numbered(*pair) for pair in zip(value, like, strict=True)]
        if isinstance(like, dict):
            return {key: numbered(value[key], item) for key, item in like.items()}
        return float(value) if isinstance(like, float) else value

    text = yaml.safe_dump(tree, allow_unicode=True)
    assert numbered(parse_yaml(text), spelled(tree)) == spelled(tree)


MARKS = st.sampled_from(list("ab:- \n\t[]{},&*!|>'\"%@#?<~0.e_\\\0\x1b\ud800é"))


@settings(max_examples=400)
@given(st.text(MARKS, max_size=40))
def test_any_text_is_a_value_or_a_sentence(text):
    with contextlib.suppress(YamlError):
        json.dumps(parse_yaml(text))
