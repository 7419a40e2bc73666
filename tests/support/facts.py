"""Sentences are checked for the facts they state; their wording is free."""

from __future__ import annotations


def lacking(sentence: str, *facts: str) -> list[str]:
    """Return the facts that do not stand in a sentence, in this order.

    Args:
        sentence: What a person reads.
        facts: Numbers, names, places and remedies it has to hold, each after the one before.
    """
    missing, place = [], 0
    for fact in facts:
        found = sentence.find(fact, place)
        if found < 0:
            missing.append(fact)
        else:
            place = found + len(fact)
    return missing
