"""Which library multiplies on which processor."""

import platform

import pytest
import torch
from facts import lacking

from promptreid.errors import ConfigError
from promptreid.models.towers import product_choice
from promptreid.models.towers.product_choice import (
    ONEDNN,
    ONEDNN_CONTIGUOUS,
    TORCH,
    ZEN_4,
    choose_products,
    current_choice,
    has_onednn,
    multiply_by,
    own_choice,
)
from promptreid.processor import Processor, describe_processor, parse_cpuinfo, parse_identifier

CPUINFO = """processor\t: 0
vendor_id\t: {vendor}
cpu family\t: {family}
model\t\t: {model}
model name\t: {name}
flags\t\t: fpu sse2 {flags}

processor\t: 1
vendor_id\t: Nobody
"""

SKYLAKE = {
    "vendor": "GenuineIntel",
    "family": 6,
    "model": 85,
    "name": "Intel(R) Xeon(R) Platinum 8175M",
    "flags": "avx512f",
}
SAPPHIRE = {**SKYLAKE, "model": 143, "flags": "avx512f avx512_bf16 amx_bf16 amx_tile"}
ROME = {
    "vendor": "AuthenticAMD",
    "family": 23,
    "model": 49,
    "name": "AMD EPYC 7R32",
    "flags": "avx2",
}
GENOA = {**ROME, "family": 25, "model": 17, "name": "AMD EPYC", "flags": "avx512f avx512_bf16"}
MILAN = {**GENOA, "model": 1, "flags": "avx2"}
TURIN = {**GENOA, "family": 26, "model": 2}


def processor(values, machine="x86_64"):
    return parse_cpuinfo(CPUINFO.format(**values), machine)


@pytest.fixture(autouse=True)
def _with_onednn(monkeypatch):
    monkeypatch.setattr(product_choice, "has_onednn", lambda: True)


def test_what_linux_says_of_the_first_core():
    found = processor(SAPPHIRE)
    assert (found.vendor, found.family, found.model) == ("GenuineIntel", 6, 143)
    assert found.name == SAPPHIRE["name"]
    assert "amx_bf16" in found.flags
    assert found.is_x86


def test_what_other_systems_say():
    found = parse_identifier("AMD64 Family 25 Model 33 Stepping 2, AuthenticAMD", "AMD64")
    assert (found.vendor, found.family, found.model) == ("AuthenticAMD", 25, 33)
    assert found.is_x86
    apple = parse_identifier("arm", "arm64")
    assert apple == Processor("arm64", name="arm")
    assert not apple.is_x86


def test_arm_boards_and_empty_texts_are_no_failure():
    for text in ("", "processor : 0\nBogoMIPS : 50.00\nCPU part : 0xd0c\n"):
        found = parse_cpuinfo(text, "aarch64")
        assert found == Processor("aarch64")


@pytest.mark.parametrize(
    ("values", "auto", "onednn"),
    [
        (SKYLAKE, TORCH, ONEDNN_CONTIGUOUS),
        (SAPPHIRE, TORCH, ONEDNN_CONTIGUOUS),
        (ROME, ONEDNN, ONEDNN),
        (MILAN, ONEDNN, ONEDNN),
        (GENOA, ZEN_4, ONEDNN),
        (TURIN, ONEDNN, ONEDNN),
        ({**GENOA, "vendor": "HygonGenuine"}, ONEDNN, ONEDNN),
    ],
)
def test_the_choice_follows_from_the_processor(values, auto, onednn):
    known = processor(values)
    assert choose_products("auto", known) == auto
    assert choose_products("torch", known) == TORCH
    assert choose_products("onednn", known) == onednn


def test_other_processors_and_torch_without_onednn_stay_with_torch(monkeypatch):
    assert choose_products("auto", processor(GENOA, "aarch64")) == TORCH
    with pytest.raises(ConfigError) as caught:
        choose_products("onednn", processor(GENOA, "aarch64"))
    assert not lacking(str(caught.value), "hardware.products", "aarch64", "auto", "torch")
    monkeypatch.setattr(product_choice, "has_onednn", lambda: False)
    assert choose_products("auto", processor(GENOA)) == TORCH
    with pytest.raises(ConfigError):
        choose_products("onednn", processor(GENOA))


def test_a_choice_holds_for_its_block():
    assert current_choice() == own_choice()
    with multiply_by(TORCH):
        with multiply_by(ONEDNN):
            assert current_choice() == ONEDNN
        assert current_choice() == TORCH
    assert current_choice() == own_choice()


def test_this_machine_is_described_and_has_a_choice():
    assert describe_processor().machine == platform.machine()
    assert own_choice() in (TORCH, ONEDNN, ZEN_4)


def test_onednn_can_be_switched_off(monkeypatch):
    monkeypatch.undo()
    if not has_onednn():
        pytest.skip("needs the instructions of another processor, and oneDNN")
    with torch.backends.mkldnn.flags(enabled=False):
        assert not has_onednn()
