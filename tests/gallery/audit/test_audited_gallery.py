"""What a gallery was used for is written down, and erasing keeps the proof without the content."""

import sqlite3
import threading
from pathlib import Path

import pytest
from facts import lacking
from gallery_model import PixelModel, draw_people, make_gallery

from promptreid.errors import GalleryError
from promptreid.gallery.audit import audit_log
from promptreid.gallery.audit.audited_use import AuditedUse
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_errors import NotEnrolledError, StoreInUseError
from promptreid.gallery.image_content import read_content
from promptreid.gallery.records.erased_bytes import choose_pieces
from promptreid.gallery.records.record_rows import AuditHead
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.gallery.records.sqlite.sqlite_schema import FILE
from promptreid.gallery.vector_model import GalleryImage


@pytest.fixture(scope="module")
def people():
    return draw_people(24, 3)


@pytest.fixture
def gallery(tmp_path, people):
    """Twenty of 24 people, two pictures each, in a gallery of which all uses are written down."""
    pictures, names = people
    made = make_gallery(tmp_path / "people")
    rows = [row for row in range(60) if row % 3]
    made.add([pictures[row] for row in rows], [names[row] for row in rows])
    made.set_audit("always")
    made.close()
    return reopen(tmp_path / "people")


def reopen(folder, **options):
    return Gallery(SqliteRecords.open(Path(folder)), PixelModel(), **options)


def spoil(gallery, statement, *values):
    with sqlite3.connect(f"{gallery.records.place}/{FILE}") as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement, values)
    connection.close()


def test_each_use_has_a_record(gallery, people):
    pictures, _ = people
    answers = gallery.search([pictures[0], pictures[70]], rate=0.1, asked_by="the gate")
    gallery.nearest([pictures[3]], top=4)
    records = list(gallery.audit.read())
    assert [record.number for record in records] == [1, 2, 3]
    content = records[0].content
    assert content["kind"] == "search"
    assert content["asked_by"] == "the gate"
    assert content["gallery"] == gallery.records.place
    assert content["model"] == PixelModel().fingerprint
    assert content["revision"] == gallery.records.revision()
    assert content["input"] == read_content(GalleryImage(pictures[0])).digest
    answer = content["answer"]
    assert (answer["verdict"], answer["identity"]) == (answers[0].verdict, answers[0].identity)
    assert answer["rate"] == 0.1
    assert answer["p"] == pytest.approx(answers[0].p, abs=1e-6)
    assert [one["entry"] for one in answer["candidates"]] == [
        one.entry for one in answers[0].candidates
    ]
    assert records[1].content["answer"]["verdict"] == answers[1].verdict
    assert len(records[2].content["answer"]["nearest"]) == 4
    assert gallery.audit.verify() == []
    assert gallery.info().audit_records == 3
    assert gallery.info().audit_digest == records[-1].digest


@pytest.mark.parametrize(
    ("setting", "in_service", "written"),
    [
        ("service", False, 0),
        ("service", True, 1),
        ("always", False, 1),
        ("never", True, 0),
    ],
)
def test_a_setting_says_which_uses_are_written_down(
    gallery, tmp_path, people, setting, in_service, written
):
    gallery.set_audit(setting)
    reopen(tmp_path / "people", in_service=in_service).search(people[0][:1])
    assert len(list(gallery.audit.read())) == written
    with pytest.raises(GalleryError, match="sometimes"):
        gallery.set_audit("sometimes")


def test_writing_down_makes_nobody_read_anew(gallery, people):
    before = gallery.records.revision()
    gallery.search(people[0][:2])
    assert gallery.records.revision() == before


def test_somebody_verifies_an_answer(gallery, people):
    gallery.search(people[0][:1])
    number = gallery.audit.confirm(1, by="Dora", right=False, words="another coat")
    [_, record] = gallery.audit.read()
    assert record.number == number == 2
    assert record.content["asked_by"] == "Dora"
    assert record.content["answer"] == {"record": 1, "right": False, "words": "another coat"}
    for wrong in (lambda: gallery.audit.confirm(9, by="Dora", right=True),):
        with pytest.raises(NotEnrolledError, match="9"):
            wrong()
    with pytest.raises(GalleryError, match="who"):
        gallery.audit.confirm(1, by="  ", right=True)


def test_records_are_read_from_a_time_on(gallery, people):
    times = iter([10.0, 20.0, 30.0])
    gallery.audit._clock = lambda: next(times)
    for _ in range(3):
        gallery.search(people[0][:1])
    assert [record.number for record in gallery.audit.read(since=20)] == [2, 3]
    assert [record.time for record in gallery.audit.read()] == [10_000, 20_000, 30_000]


def test_erasing_takes_the_content_and_keeps_the_chain(gallery, people):
    pictures, _ = people
    gallery.search([pictures[0], pictures[70]])
    gallery.audit.confirm(1, by="Dora", right=True)
    head = gallery.audit.head()
    [chosen] = gallery.audit.read(number=1)
    name = chosen.content["answer"]["candidates"][0]["identity"]
    rows = list(gallery.records.audit_rows())
    pieces = [p for row in rows for p in choose_pieces(row.payload.encode()) if name.encode() in p]
    erased = gallery.erase(name, asked_by="the officer")
    assert erased.pieces > 0
    records = list(gallery.audit.read())
    naming = [
        number
        for number, row in enumerate(rows, start=1)
        if f'"{name}"' in row.payload or number == 3  # the confirmation of the first
    ]
    assert [record.number for record in records if record.content is None] == naming
    assert records[-1].content["kind"] == "erasure"
    assert records[-1].content["asked_by"] == "the officer"
    assert name not in str(records[-1].content)
    assert gallery.audit.verify() == []
    assert gallery.audit.verify(head) == []
    assert gallery.records.find_bytes(pieces) == []
    with pytest.raises(NotEnrolledError, match="1"):
        gallery.audit.confirm(1, by="Dora", right=True)


def test_questions_about_what_was_enrolled_later_go_with_it(gallery, people):
    pictures, _ = people
    gallery.search([pictures[70]], top=2)
    gallery.add([pictures[70]], ["late"])
    gallery.erase("late")
    records = list(gallery.audit.read())
    assert records[0].content is None
    assert gallery.audit.verify() == []


def test_an_erasure_of_what_was_never_asked_for_leaves_no_record(gallery):
    gallery.erase("person 3")
    assert list(gallery.audit.read()) == []


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE audit_payloads SET payload = replace(payload, 'search', 'nothing')", 1),
        ("UPDATE audit SET time = time + 1 WHERE number = 2", 2),
        ("DELETE FROM audit_payloads WHERE number = 3", 3),
        ("DELETE FROM audit WHERE number = 4", 4),
        ("DELETE FROM audit WHERE number > 3", 4),
        ("UPDATE facts SET value = 3 WHERE key = 'audit_count'", 4),
        ("UPDATE facts SET value = '' WHERE key = 'audit_digest'", 4),
    ],
)
def test_changes_in_the_file_are_found(gallery, people, statement, number):
    for _ in range(4):
        gallery.search(people[0][:1])
    gallery.close()
    spoil(gallery, statement)
    opened = reopen(gallery.records.place)
    findings = opened.audit.verify()
    assert number in {finding.number for finding in findings}
    assert str(number) in findings[0].problem


def test_a_tail_that_was_cut_with_the_head_is_found_by_a_noted_end(gallery, people):
    for _ in range(3):
        gallery.search(people[0][:1])
    noted = gallery.audit.head()
    second = list(gallery.audit.read())[1]
    gallery.close()
    spoil(gallery, "DELETE FROM audit_payloads WHERE number > 2")
    spoil(gallery, "DELETE FROM audit WHERE number > 2")
    spoil(gallery, "UPDATE facts SET value = 2 WHERE key = 'audit_count'")
    spoil(gallery, "UPDATE facts SET value = ? WHERE key = 'audit_digest'", second.digest)
    opened = reopen(gallery.records.place)
    assert opened.audit.verify() == []
    assert [finding.number for finding in opened.audit.verify(noted)] == [3]
    assert opened.audit.verify(AuditHead(2, second.digest)) == []


def test_check_reads_the_chain_and_the_negative_examples(gallery, people):
    gallery.search(people[0][:2])
    [number] = gallery.add_negatives("person 0", [people[0][70]])
    assert gallery.check() == []
    gallery.close()
    spoil(gallery, "UPDATE audit SET time = time + 1 WHERE number = 1")
    spoil(gallery, "UPDATE negatives SET crop = x'00112233'")
    findings = reopen(gallery.records.place).check()
    problems = " ".join(finding.problem for finding in findings)
    assert not lacking(problems, f"Negative example {number}", "Record 1")
    assert "--remove" in findings[0].remedy


def test_check_reads_the_chain_of_one_moment(gallery, people, monkeypatch):
    """What another process writes down between the head and the records is no damage."""
    gallery.search(people[0][:1])
    beside, read_head = reopen(gallery.records.place), gallery.records.audit_head

    def read_early():
        head = read_head()
        beside.search(people[0][:1])
        return head

    monkeypatch.setattr(gallery.records, "audit_head", read_early)
    assert gallery.check() == []


def test_an_unfinished_reader_holds_up_nobody(gallery, people):
    gallery.search(people[0][:2])
    reader = gallery.audit.read()
    next(reader)
    other = threading.Thread(target=gallery.audit.head, daemon=True)
    other.start()
    other.join(timeout=20)
    assert not other.is_alive()
    assert next(reader).number == 2


def test_threads_share_a_wait_for_the_disk(gallery, people):
    """What waits while one thread writes is written together, each use once and in one chain."""
    pictures, _ = people
    transactions, noting = [], gallery.records.noting

    def count():
        transactions.append(1)
        return noting()

    gallery.records.noting = count
    start = threading.Barrier(6)

    def ask(number):
        start.wait()
        for step in range(5):
            gallery.search([pictures[3 * number + step % 3]], asked_by=f"client {number}")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = [record.content["asked_by"] for record in gallery.audit.read()]
    assert sorted(asked) == sorted(f"client {number}" for number in range(6) for _ in range(5))
    assert len(transactions) <= 30
    assert gallery.audit.verify() == []


def test_a_use_that_waits_is_written_by_whoever_writes(gallery, people):
    uses = [AuditedUse("search", f"client {number}", None) for number in range(3)]
    log = gallery.audit
    waiting = [audit_log._Waiting([use], None) for use in uses[:2]]
    log._waiting += waiting
    assert log.note([uses[2]]) == [3]
    assert [one.numbers for one in waiting] == [[1], [2]]
    assert [record.content["asked_by"] for record in log.read()] == [
        "client 0", "client 1", "client 2"
    ]  # fmt: skip


def test_what_cannot_be_written_is_told_to_all_who_wait(gallery, people, monkeypatch):
    def fail():
        raise StoreInUseError("in use")

    waiting = audit_log._Waiting([AuditedUse("search", "", None)], None)
    gallery.audit._waiting.append(waiting)
    with monkeypatch.context() as patched:
        patched.setattr(gallery.records, "noting", fail)
        with pytest.raises(StoreInUseError):
            gallery.search(people[0][:1])
    assert isinstance(waiting.error, StoreInUseError)
    assert list(gallery.audit.read()) == []
    gallery.search(people[0][:1])
    assert len(list(gallery.audit.read())) == 1


def test_content_expires_after_a_term_and_the_chain_holds(gallery, people):
    pictures, _ = people
    now = [1_000_000.0]
    gallery.audit._clock = lambda: now[0]
    gallery.search(pictures[:2], asked_by="the gate")
    gallery.audit.confirm(1, by="Dora", right=True)
    gallery.erase("person 1")
    now[0] += 86400
    gallery.search(pictures[6:7])
    old = list(gallery.audit.read())
    pieces = [
        piece
        for row in list(gallery.records.audit_rows())[:3]
        for piece in choose_pieces((row.payload or "").encode())
    ]
    assert gallery.records.find_bytes(pieces) == []  # they are in records
    expired = [one.number for one in old[:3] if one.content is not None]
    assert gallery.audit.expire(now[0] - 3600, asked_by="Kim") == len(expired)
    records = list(gallery.audit.read())
    assert [one.content is None for one in records] == [True] * 3 + [False] * 3
    assert [one.digest for one in records[:-1]] == [one.digest for one in old]
    kept = [one.content["kind"] for one in records[3:]]
    assert kept == ["erasure", "search", "expiry"]
    assert records[-1].content["answer"]["before"] == round((now[0] - 3600) * 1000)
    assert gallery.audit.verify() == []
    assert pieces
    assert gallery.records.find_bytes(pieces) == []
    assert not gallery.records.is_compaction_due
    assert gallery.audit.expire(now[0] - 3600) == 0
    assert gallery.audit.head().count == 6
    assert gallery.audit.expire(now[0] + 3600) == 1  # the search; what says of erasures stays
    assert gallery.audit.verify() == []
    spoil(gallery, "DELETE FROM audit_payloads WHERE number = 6")
    assert {one.number for one in gallery.audit.verify()} >= set(expired)
