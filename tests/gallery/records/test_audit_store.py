"""The contract of audit records: a chain at whose end alone something is put."""

import pytest
from record_stores import MODEL, add
from record_stores import make_entry as entry

from promptreid.gallery.records.record_rows import AuditHead, AuditRow


def link(number, **changes):
    values = {
        "number": number,
        "time": 1000 * number,
        "commitment": f"{number:064x}",
        "digest": f"{number + 7:064x}",
        "salt": bytes([number % 256]) * 16,
        "payload": f'{{"answer": {number}}}',
        "input_hash": f"{number + 40:064x}",
    }
    return AuditRow(**(values | changes))


def put(records, *rows):
    with records.noting():
        records.append_audit(rows)


def test_what_goes_in_comes_out_in_order(kind, place, records):
    rows = [link(1), link(2, input_hash=None, entries=(5, 3)), link(3, salt=None, payload=None)]
    put(records, *rows[:2])
    put(records, rows[2])
    read = list(kind.open(place).audit_rows())
    assert [row.number for row in read] == [1, 2, 3]
    assert read[0] == rows[0]
    assert sorted(read[1].entries) == [3, 5]
    assert (read[2].salt, read[2].payload) == (None, None)
    assert kind.open(place).audit_head() == AuditHead(3, rows[2].digest)


def test_there_is_a_head_before_the_first(records):
    assert records.audit_head() == AuditHead(0, "")
    assert list(records.audit_rows()) == []
    put(records)
    assert records.audit_head() == AuditHead(0, "")


def test_they_can_be_read_by_time_and_number(records):
    put(records, *(link(n) for n in range(1, 6)))
    assert [row.number for row in records.audit_rows(since=3000)] == [3, 4, 5]
    assert [row.number for row in records.audit_rows(number=4)] == [4]
    assert list(records.audit_rows(number=9)) == []


def test_more_than_are_read_at_a_time_come_in_order(records):
    put(records, *(link(n, salt=b"s", entries=()) for n in range(1, 5001)))
    assert [row.number for row in records.audit_rows()] == list(range(1, 5001))


def test_payloads_go_by_number_and_links_stay(kind, place, records):
    put(records, *(link(n, entries=(n,)) for n in range(1, 5)))
    before = list(records.audit_rows())
    with records.noting():
        records.erase_payloads([1, 3, 99])
    left = list(kind.open(place).audit_rows())
    assert [row.payload is None for row in left] == [True, False, True, False]
    assert left[0] == link(1, salt=None, payload=None, input_hash=None, entries=())
    assert left[1] == before[1]
    assert records.audit_head() == AuditHead(4, before[3].digest)
    assert records.is_compaction_due
    records.compact()
    assert not records.is_compaction_due


def test_putting_one_changes_no_revision(kind, place, records):
    before, stamp = records.revision(), records.stamp()
    put(records, link(1))
    assert (records.revision(), records.stamp()) == (before, stamp)
    assert kind.open(place).audit_head().count == 1


def test_what_raises_puts_nothing(records):
    def put_and_fail():
        with records.noting():
            records.append_audit([link(1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        put_and_fail()
    assert records.audit_head() == AuditHead(0, "")
    assert list(records.audit_rows()) == []


def test_a_number_is_given_once(records):
    put(records, link(1))
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        put(records, link(1))
    assert records.audit_head() == AuditHead(1, link(1).digest)


def test_deleting_entries_deletes_payloads_that_name_them_and_keeps_links(records):
    first, second, third = add(records, *(entry(n) for n in (1, 2, 3)))
    put(
        records,
        link(1, entries=(first, second)),
        link(2, entries=(third,)),
        link(3, input_hash=entry(1).content_hash),
        link(4),
    )
    payloads = [row.payload.encode() for row in records.audit_rows()]
    assert records.stored_bytes(first)[-2:] == [payloads[0], payloads[2]]
    with records.writing():
        assert records.delete([first]) == [1, 3]
    rows = list(records.audit_rows())
    assert [row.payload is None for row in rows] == [True, False, True, False]
    assert [row.salt is None for row in rows] == [True, False, True, False]
    assert [row.input_hash is None for row in rows] == [True, False, True, False]
    assert [row.digest for row in rows] == [link(n).digest for n in (1, 2, 3, 4)]
    assert records.audit_head() == AuditHead(4, link(4).digest)
    assert records.stored_bytes(first) == []


def test_no_byte_of_a_deleted_payload_is_left(records):
    [number] = add(records, entry(1))
    secret = "".join(f"{n:03d}" for n in range(30))
    put(records, link(1, payload=secret, entries=(number,)))
    assert records.find_bytes([secret.encode()[:32]]) == []
    with records.writing():
        records.delete([number])
    records.compact()
    assert records.find_bytes([secret.encode()[:32]]) == []
    assert records.find_damage() == []


def test_texts_that_other_records_hold_are_no_remains(records):
    name, path = "a very long name of somebody, in full", "/a/very/long/path/to/a/picture.png"
    first, _ = add(records, entry(1, identity="ben"), entry(2, identity=name, path=path))
    texts = [name, path, entry(2).content_hash, MODEL.fingerprint]
    put(records, link(1, payload=" ".join(texts), entries=(first,)))
    with records.writing():
        records.delete([first])
    records.compact()
    assert records.find_bytes([text.encode()[:32] for text in texts]) == []
