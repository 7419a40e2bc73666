"""Whatever is changed in a chain of audit records afterwards is found."""

import hashlib
import random
from dataclasses import replace

import pytest

from promptreid.gallery.audit.audit_chain import commit_to, extend_chain, link_to
from promptreid.gallery.audit.audit_verification import find_breaks
from promptreid.gallery.audit.audited_use import ERASURE, SEARCH, AuditedUse
from promptreid.gallery.records.record_rows import AuditHead


def payload(kind=SEARCH, **answer):
    use = AuditedUse(kind, "anna", "ab" * 32, answer)
    return use.to_payload(gallery="people", model="cd" * 32, revision=3)


def make_chain(count=8):
    """Return a chain of records, and its end."""
    rows, head = [], AuditHead()
    for number in range(count):
        [row] = extend_chain(
            head, [payload(p=number / 10)], time=1000 * number, inputs=[None], entries=[()]
        )
        rows.append(row)
        head = AuditHead(row.number, row.digest)
    return rows, head


def test_a_link_is_the_hash_that_is_documented():
    [row] = extend_chain(AuditHead(4, "ee"), ["text"], time=77, inputs=["in"], entries=[(3,)])
    commitment = hashlib.sha256(b"promptreid audit payload\n" + row.salt + b"text").hexdigest()
    link = f"promptreid audit link\nee\n5\n77\n{commitment}"
    assert (row.number, row.commitment) == (5, commitment)
    assert row.digest == hashlib.sha256(link.encode()).hexdigest()
    assert (len(row.salt), row.input_hash, row.entries) == (32, "in", (3,))


def test_equal_payloads_have_different_commitments():
    rows = extend_chain(AuditHead(), ["same"] * 5, time=0, inputs=[None] * 5, entries=[()] * 5)
    assert len({row.commitment for row in rows}) == 5


def test_a_chain_that_nobody_touched_is_right():
    rows, head = make_chain()
    assert find_breaks(rows, head) == []
    assert find_breaks(rows, head, noted=head) == []
    assert find_breaks(rows, head, noted=AuditHead(3, rows[2].digest)) == []
    assert find_breaks([], AuditHead()) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time", 999_999),
        ("payload", payload(p=0.001)),
        ("salt", bytes(32)),
        ("commitment", commit_to(b"", "other")),
        ("digest", link_to("", 9, 9, "other")),
    ],
)
@pytest.mark.parametrize("place", [0, 3, 7])
def test_every_edit_is_found_where_it_is(field, value, place):
    rows, head = make_chain()
    rows[place] = replace(rows[place], **{field: value})
    findings = find_breaks(rows, head)
    assert findings
    assert findings[0].number in (place + 1, place + 2)


@pytest.mark.parametrize("place", [0, 3, 7])
def test_an_edit_with_a_commitment_of_its_own_is_found(place):
    rows, head = make_chain()
    text = payload(p=0.001)
    changed = replace(rows[place], payload=text, commitment=commit_to(rows[place].salt, text))
    rows[place] = changed
    assert find_breaks(rows, head)
    before = rows[place - 1].digest if place else ""
    digest = link_to(before, changed.number, changed.time, changed.commitment)
    rows[place] = replace(changed, digest=digest)  # now the next one, or the end, does not follow
    assert find_breaks(rows, head)


@pytest.mark.parametrize("gone", [(0,), (3,), (3, 4, 5), (7,), (6, 7), tuple(range(8))])
def test_every_cut_is_found_with_its_numbers(gone):
    rows, head = make_chain()
    left = [row for number, row in enumerate(rows) if number not in gone]
    [finding] = find_breaks(left, head)
    assert finding.number == gone[0] + 1
    for number in (gone[0] + 1, gone[-1] + 1):
        assert str(number) in finding.problem


def test_a_cut_tail_with_an_end_to_match_is_found_by_what_was_noted():
    rows, head = make_chain()
    left, shorter = rows[:5], AuditHead(5, rows[4].digest)
    assert find_breaks(left, shorter) == []
    [finding] = find_breaks(left, shorter, noted=head)
    assert finding.number == 8


def test_a_chain_that_was_computed_anew_is_found_by_what_was_noted():
    rows, head = make_chain()
    forged, forged_head = make_chain()
    assert find_breaks(forged, forged_head) == []
    assert find_breaks(forged, forged_head, noted=head)
    assert find_breaks(forged, forged_head, noted=AuditHead(2, rows[1].digest))


@pytest.mark.parametrize("seed", range(4))
def test_every_exchange_is_found(seed):
    rows, head = make_chain()
    first, second = random.Random(seed).sample(range(8), 2)
    rows[first], rows[second] = rows[second], rows[first]
    assert find_breaks(rows, head)
    renumbered = [replace(row, number=place + 1) for place, row in enumerate(rows)]
    assert find_breaks(renumbered, head)


def test_content_may_be_gone_only_where_a_later_record_says_so():
    rows, head = make_chain(4)
    rows[1] = replace(rows[1], payload=None, salt=None)
    [finding] = find_breaks(rows, head)
    assert finding.number == 2
    rows += extend_chain(
        head, [payload(ERASURE, records=[[2, 3]])], time=9, inputs=[None], entries=[()]
    )
    after = AuditHead(5, rows[-1].digest)
    assert find_breaks(rows, after) == []
    rows[3] = replace(rows[3], payload=None, salt=None)
    [finding] = find_breaks(rows, after)
    assert finding.number == 4
    rows[4] = replace(rows[4], payload=payload(ERASURE, records=[[2, 4]]))
    assert {finding.number for finding in find_breaks(rows, after)} == {5}


def test_an_erasure_excuses_nothing_that_came_later():
    head = AuditHead()
    rows = extend_chain(
        head, [payload(ERASURE, records=[[1, 9]])], time=1, inputs=[None], entries=[()]
    )
    rows += extend_chain(
        AuditHead(1, rows[0].digest), [payload(p=0.1)], time=2, inputs=[None], entries=[()]
    )
    rows[1] = replace(rows[1], payload=None, salt=None)
    assert [finding.number for finding in find_breaks(rows, AuditHead(2, rows[1].digest))] == [2]


def test_an_erasure_of_impossible_numbers_takes_no_time():
    rows, head = make_chain(1)
    text = payload(ERASURE, records=[[-(10**15), 10**15]])
    [row] = extend_chain(head, [text], time=9, inputs=[None], entries=[()])
    assert find_breaks([*rows, row], AuditHead(row.number, row.digest)) == []
