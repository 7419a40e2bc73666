from __future__ import annotations

import pytest

from promptreid.config.reading.overrides import parse_override
from promptreid.config.sweep import find_sweep, load_sweep, override_text, sweep_names
from promptreid.errors import ConfigError


def write(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "value",
    [1, 1e-5, 0.001, True, None, "1e-4", "a b", "x: y", "{out}/a_seed{seed}", [256, 128], [], {},
     {"identities": 4, "images": 2}, ["a", {"b": None}], "long " * 60, "ü|é\n"],
)  # fmt: skip
def test_override_text_reads_back(value):
    text = override_text("a.b", value)
    assert "\n" not in text
    path, found = parse_override(text)
    assert path == ["a", "b"]
    assert found == value
    assert type(found) is type(value)


def test_all_forms(tmp_path):
    sweep = load_sweep(
        write(
            tmp_path,
            """
            recipe: clip-reid
            data: folder:/x
            seeds: [3, 1]
            set: [a=1, "b=[1, 2]"]
            grid: {c: [1, 2]}
            runs:
              one:
              two: {recipe: zero-shot, data: [folder:/y], set: {d: {e: 1.0e-5}}}
            """,
        )
    )
    assert sweep.data == ("folder:/x",)
    assert sweep.set == ("a=1", "b=[1, 2]")
    assert sweep.runs["one"].set == ()
    assert sweep.runs["two"].data == ("folder:/y",)
    assert parse_override(sweep.runs["two"].set[0]) == (["d"], {"e": "1.0e-5"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("recipe: x\nseed: [0]", "seed: unknown key. Did you mean 'seeds'?"),
        ("recipe: x\nseeds: [0, 1, 0]", "seed is given twice"),
        ("recipe: x\nseeds: []", "seeds"),
        ("recipe: x\nseeds: [-1]", "seeds"),
        ("data: [folder:/x]", "give recipe: NAME"),
        ("runs: {a: {recipe: x}, b: {}}", "missing in b"),
        ("recipe: x\ngrid: {k: []}", "grid"),
        ("recipe: x\ngrid: {k: 3}", "grid"),
        ("recipe: x\ngrid: {k: [1]}\nset: [k=2]", "k stands in both grid and set"),
        ("recipe: x\ngrid: {k: [1]}\nruns: {a: {set: {k: 2}}}", "both grid and runs.a.set"),
        ("recipe: x\nruns: {../a: {}}", "../a"),
        ("recipe: x\nruns: {a: {seeds: [1]}}", "unknown key"),
        ("- a", "must hold a mapping"),
        ("recipe: [", "not valid YAML"),
        ("recipe: x\nset: [size=[1, 2]=]", "needs quotes"),
    ],
)
def test_mistakes_are_sentences(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        load_sweep(write(tmp_path, text))
    assert words in str(caught.value)


def test_all_mistakes_at_once(tmp_path):
    with pytest.raises(ConfigError, match="2 problems") as caught:
        load_sweep(write(tmp_path, "recipe: x\nseeds: none\nonly: y"))
    assert "seeds" in str(caught.value)
    assert "only: unknown key" in str(caught.value)


def test_finding_files(tmp_path):
    path = write(tmp_path, "recipe: x")
    assert find_sweep(str(path)) == path
    with pytest.raises(ConfigError, match="There is no sweep file"):
        find_sweep(str(tmp_path / "absent.yaml"))
    with pytest.raises(ConfigError, match="There is no sweep named 'study'"):
        find_sweep("study")
    for name in sweep_names():
        assert load_sweep(find_sweep(name)).description
