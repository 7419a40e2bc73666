"""Other words for devices than PyTorch's, told apart before PyTorch is loaded."""

from __future__ import annotations

from promptreid.errors import ConfigError
from promptreid.text.suggest import did_you_mean, plain

_OTHER_WORDS = {
    **dict.fromkeys(("gpu", "nvidia", "cudagpu", "geforce"), "cuda"),
    **{str(number): f"cuda:{number}" for number in range(16)},
    **{f"{word}{n}": f"cuda:{n}" for word in ("gpu", "cuda") for n in range(16)},
    **dict.fromkeys(("metal", "apple", "m1"), "mps"),
    **dict.fromkeys(("processor", "none", "nogpu"), "cpu"),
}


def refuse_other_word(name: str) -> None:
    """Refuse a word that PyTorch does not take for a device, and say the one that it does.

    Raises:
        ConfigError: It is such a word.
    """
    kind = plain(name.partition(":")[0])
    if kind in _OTHER_WORDS:
        raise ConfigError(
            f"There is no device named {name!r}.{did_you_mean([_OTHER_WORDS[kind]])} Give cuda, "
            "cuda:N, mps or cpu, or leave --device out to take the best one there is."
        )
