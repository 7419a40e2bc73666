"""What only the records in a database do: a server that goes away, rights, words, the log."""

import contextlib
import itertools
import sys
import threading
import time

import numpy as np
import psycopg
import pytest
from facts import lacking
from postgres_server import is_alive, share_server
from record_stores import MODEL, POSTGRES, SETTINGS, add
from record_stores import make_entry as entry

from promptreid.errors import GalleryError
from promptreid.gallery.audit.audit_log import AuditLog
from promptreid.gallery.audit.audited_use import AuditedUse
from promptreid.gallery.gallery_errors import StoreFailedError, StoreInUseError
from promptreid.gallery.records.open_records import create_records, open_records
from promptreid.gallery.records.postgres import postgres_connection, postgres_store


@pytest.fixture(scope="module")
def server():
    reason = POSTGRES.reason_not_run()
    if reason is not None:
        pytest.skip(reason)
    return share_server()


@pytest.fixture
def place(server):
    return make(server.new_place())


@pytest.fixture
def records(place):
    opened = open_records(place)
    yield opened
    opened.close()


def make(place):
    made = create_records(place, SETTINGS)
    with made.writing():
        made.set_model(MODEL)
    made.close()
    return place


def noise(number, length=3000):
    return np.random.default_rng([77, number]).bytes(length)  # which no other test draws


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(postgres_connection, "PATIENCE_SECONDS", 0.1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_server_that_is_killed_loses_nothing_acknowledged(server, place, seed, monkeypatch):
    # A busy machine starts the server anew in more than the usual time.
    monkeypatch.setattr(postgres_connection, "PATIENCE_SECONDS", 120.0)
    done, failed, told, ended = [], [], [], threading.Event()

    def write():
        own = open_records(place)
        for number in itertools.count(1):
            try:
                add(own, entry(2 * number, crop=noise(number)), entry(2 * number + 1))
                done.append(number)
            except StoreFailedError as error:
                told.append(str(error))
                failed.append(number)
                continue
            if ended.is_set():  # this one was acknowledged by the server that is back
                break
        own.close()

    writer = threading.Thread(target=write)
    writer.start()
    while len(done) < 5:
        time.sleep(0.001)
    time.sleep(np.random.default_rng(seed).uniform(0, 0.1))
    before, killed = len(done), server.number
    server.kill()
    assert not is_alive(killed), "the server was not killed"
    server.start()
    assert server.number != killed, "the server is the one that was there before"
    ended.set()
    writer.join(180)
    assert not writer.is_alive()
    assert [words for words in told if "Nothing was changed" not in words] == []
    assert len(done) >= before >= 5
    assert len(failed) <= 1
    records = open_records(place)
    there = {int(row.content_hash, 16) for row, _ in records.entries()}
    assert there == {2 * number + one for number in done for one in (0, 1)}
    assert records.find_damage() == []
    assert records.count_entries() == len(there)


def test_a_server_that_is_gone_is_said_to_be_and_used_again_when_it_is_back(
    server, place, records, impatient
):
    add(records, entry(1))
    server.stop()
    try:
        for use in (
            records.count_entries,
            lambda: add(records, entry(2)),
            lambda: open_records(place),
        ):
            with pytest.raises(StoreFailedError) as caught:
                use()
            assert records.place in str(caught.value)
            assert "secret-word" not in str(caught.value)
    finally:
        server.start()
    assert records.count_entries() == 1
    assert len(add(records, entry(2))) == 1


def test_a_restart_within_a_transaction_keeps_nothing_of_it(server, records):
    def add_with_a_restart_between():
        with records.writing():
            records.add([entry(1)])
            server.stop()
            server.start()
            records.add([entry(2)])

    with pytest.raises(StoreFailedError, match="Nothing was changed"):
        add_with_a_restart_between()
    assert records.count_entries() == 0
    add(records, entry(2))
    assert [row.content_hash for row, _ in records.entries()] == [entry(2).content_hash]


class LosesReply:
    """A connection that is lost at a commit, before or after the server has kept it."""

    def __init__(self, connection, *, kept, act=lambda: None):
        self._connection, self._kept, self._act = connection, kept, act

    def execute(self, statement, *rest, **options):
        if statement != "COMMIT":
            return self._connection.execute(statement, *rest, **options)
        self._connection.execute("COMMIT" if self._kept else "ROLLBACK")
        self._connection.close()
        self._act()
        raise psycopg.OperationalError("the connection is lost")

    def __getattr__(self, name):
        return getattr(self._connection, name)


def enrol(records, number):
    add(records, entry(number))


def use(records, number):
    log = AuditLog(records, threading.RLock(), is_on=True)
    log.note([AuditedUse("search", f"somebody {number}", None, {})])


@pytest.mark.parametrize("change", [enrol, use])
@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize("kept", [True, False])
def test_a_reply_that_is_lost_is_looked_for(place, records, change, others, kept):
    """What others do meanwhile takes the number of the revision or record that was lost."""

    def go_on():
        with contextlib.closing(open_records(place)) as other:
            for number in range(others):
                change(other, 10 + number)

    records._connection = LosesReply(records._connection, kept=kept, act=go_on)
    with contextlib.nullcontext() if kept else pytest.raises(StoreFailedError, match="try again"):
        change(records, 1)
    assert records.count_entries() + records.audit_head().count == int(kept) + others


def test_a_change_that_is_lost_among_very_many_is_said_to_be_unknown(place, records, monkeypatch):
    monkeypatch.setattr(postgres_store, "STAMPS_KEPT", 2)

    def go_on():
        with contextlib.closing(open_records(place)) as other:
            for number in range(3):
                enrol(other, 10 + number)

    records._connection = LosesReply(records._connection, kept=True, act=go_on)
    with pytest.raises(StoreFailedError, match="not known"):
        enrol(records, 1)


def test_a_lost_connection_that_is_still_committing_is_waited_for(server, records):
    lost, committing = records._connection, []

    class StillCommitting(LosesReply):
        def execute(self, statement, *rest, **options):
            if statement != "COMMIT":
                return lost.execute(statement, *rest, **options)
            committing.append(threading.Thread(target=commit_when_waited_for))
            committing[0].start()
            raise psycopg.OperationalError("the connection is lost")

        def close(self):
            """Leave the server its end of the connection."""

    def commit_when_waited_for():
        with psycopg.connect(server.url, autocommit=True) as looking:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while looking.execute(waiting).fetchone() == (0,):
                pass
        lost.execute("COMMIT")
        lost.close()

    records._connection = StillCommitting(lost, kept=True)
    enrol(records, 1)
    committing[0].join()
    assert records.count_entries() == 1


def test_an_outcome_that_cannot_be_asked_for_is_said_to_be_unknown(server, records, impatient):
    def add_while_the_server_goes():
        with records.writing():
            records.add([entry(1)])
            server.stop()
            records._connection.execute = lose

    def lose(*_):
        raise psycopg.OperationalError("the connection is lost")

    try:
        with pytest.raises(StoreFailedError, match="not known"):
            add_while_the_server_goes()
    finally:
        server.start()


def test_an_old_snapshot_of_somebody_keeps_no_erased_byte(server, records):
    crop = noise(100_001)
    [number] = add(records, entry(1, crop=crop))
    with psycopg.connect(server.url) as somebody:
        somebody.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        somebody.execute("SELECT count(*) FROM pg_class")
        with records.writing():
            records.delete([number])
        records.compact()
        assert records.find_bytes([crop[:32], crop[2000:2032]]) == []
        files = [path for path in server.data.rglob("*") if path.is_file()]
        assert len(files) > 100
        assert not [path for path in files if crop[:32] in path.read_bytes()]


def test_what_another_gallery_of_the_database_holds_is_no_remains(server, records):
    crop = noise(100_003)
    other = open_records(make(server.new_place()))
    for one in (records, other):
        add(one, entry(1, crop=crop))
    with records.writing():
        records.delete([1])
    records.compact()
    assert records.find_bytes([crop[:32]]) == []
    with other.writing():
        other.delete([1])
    assert records.find_bytes([crop[:32]]) == [crop[:32]]
    other.compact()
    assert records.find_bytes([crop[:32]]) == []


def test_rewriting_waits_for_who_reads_and_stays_due(place, records):
    [number] = add(records, entry(1))
    reader = open_records(place)
    records.execute("SET lock_timeout = '50ms'")
    with reader.reading():
        assert reader.count_entries() == 1
        with records.writing():
            records.delete([number])
        with pytest.raises(StoreInUseError) as caught:
            records.compact()
        assert not lacking(str(caught.value), "gone", "in use", "next opening", "--mend")
        assert records.is_compaction_due
        assert reader.count_entries() == 1
    records.compact()
    assert not records.is_compaction_due


def test_who_waited_in_vain_for_rewriting_reads_and_writes_afterwards(place, records):
    with contextlib.closing(open_records(place)) as other:
        records.execute("SET lock_timeout = '50ms'")
        with other.locking("LOCK TABLE counters IN ACCESS EXCLUSIVE MODE"):
            for use in (records.reading, records.writing):
                with pytest.raises(StoreInUseError, match="in use"), use():
                    pass
    with records.reading():
        assert records.count_entries() == 0
    assert len(add(records, entry(1))) == 1


def test_rewriting_is_due_until_the_log_is_written_over_and_nobody_has_deleted(
    place, records, monkeypatch
):
    numbers = add(records, entry(1), entry(2))

    def delete(number):
        with contextlib.closing(open_records(place)) as other, other.writing():
            other.delete([number])

    def fail(*_):
        raise StoreFailedError("The server went away.")

    delete(numbers[0])
    with monkeypatch.context() as patched:
        patched.setattr(type(records), "_write_over_log", fail)
        with pytest.raises(StoreFailedError, match="went away"):
            records.compact()
        assert records.is_compaction_due
        patched.setattr(type(records), "_write_over_log", lambda _: delete(numbers[1]))
        records.compact()
        assert records.is_compaction_due
    records.compact()
    assert not records.is_compaction_due


def test_rewriting_leaves_tables_as_they_were_made(records):
    columns = (
        "SELECT attrelid::regclass::text, attname, attstorage, attstattarget, atttypid, attnotnull "
        "FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE attnum > 0 AND "
        "relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY attrelid, attnum"
    )
    before = records.execute(columns)
    assert ("crops", "content", "e", 0) in {row[:4] for row in before}
    assert ("vectors", "searched", "m", 0) in {row[:4] for row in before}
    records.compact()
    assert records.execute(columns) == before


@pytest.mark.usefixtures("place")  # with which pgvector is there
def test_a_user_without_rights_on_the_server_can_erase_and_is_told_what_is_not_proven(server):
    with (
        psycopg.connect(server.url, autocommit=True) as admin,
        contextlib.suppress(psycopg.errors.DuplicateObject),
    ):
        admin.execute("CREATE ROLE keeper LOGIN PASSWORD 'secret-word'")
        admin.execute("GRANT CREATE ON DATABASE postgres TO keeper")
    records = open_records(make(server.new_place().replace("postgres:secret", "keeper:secret")))
    crop = noise(100_002)
    [number] = add(records, entry(1, crop=crop))
    with records.writing():
        records.delete([number])
    records.compact()
    assert not records.is_compaction_due
    assert records.find_bytes([crop[:32]]) == []
    assert not lacking(
        records.searched_place, "any table", "write-ahead log", "pg_read_server_files"
    )


def test_commits_are_on_the_disk_even_where_the_server_is_set_otherwise(server):
    name = server.new_place()
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("ALTER DATABASE postgres SET synchronous_commit = off")
        try:
            records = open_records(make(name))
            assert records.execute("SHOW synchronous_commit") == [("on",)]
        finally:
            admin.execute("ALTER DATABASE postgres RESET synchronous_commit")


def test_damaged_pages_are_found(server, records):
    add(records, *(entry(n, crop=noise(n)) for n in range(20)))
    [(path,)] = records.execute(
        "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = 'crops'::regclass"
    )
    records.execute("CHECKPOINT")
    server.stop()
    file = server.data / path
    content = bytearray(file.read_bytes())
    content[3000] ^= 0x10
    file.write_bytes(content)
    server.start()
    try:
        assert [words for words in records.find_damage() if "damaged" in words]
    finally:
        records.execute(f"DROP SCHEMA {records.schema} CASCADE")


def test_vectors_of_another_length_are_found_and_taken_out(records):
    first, second = add(records, entry(1), entry(2))
    records.execute("UPDATE vectors SET vector = 'short' WHERE entry = ?", second)
    assert records.find_damaged_vectors() == [f"The vector of entry {second}"]
    with records.writing():
        records.remove_damaged_vectors()
    assert records.find_damaged_vectors() == []
    assert records.missing_vectors(MODEL.fingerprint) == [second]
    assert [row.version for row, _ in records.entries()][1] == records.revision()
    assert records.vectors([first]).any()


def test_text_that_the_server_cannot_keep_is_refused_in_words(records):
    with pytest.raises(GalleryError, match="cannot keep"):
        add(records, entry(1, camera="a\0b"))
    assert records.count_entries() == 0
    add(records, entry(1))


def test_a_wrong_password_or_database_is_told_without_the_password(server):
    for wrong in (
        server.url.replace("secret-word", "wrong-word") + "/people",
        server.url.replace("/postgres", "/nothing", 1).replace("//postgres:", "//postgres:")
        + "/people",
        "postgresql://postgres:wrong-word@127.0.0.1:1/postgres/people",
    ):
        with pytest.raises(StoreFailedError) as caught:
            open_records(wrong)
        assert "-word" not in str(caught.value)
        assert not lacking(str(caught.value), "cannot be opened", "127.0.0.1")


def test_a_gallery_that_was_dropped_or_is_of_another_format_is_told(place, records):
    records.set_fact("format", "99")
    with pytest.raises(GalleryError, match="99"):
        open_records(place)
    records.execute(f"DROP SCHEMA {records.schema} CASCADE")
    with pytest.raises(StoreFailedError, match="not there any more"):
        records.count_entries()


def test_of_two_that_create_one_gallery_at_once_one_is_told(server, monkeypatch):
    name, statements = server.new_place(), postgres_store.list_statements
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA {name.rpartition('/')[2]}")

    def be_late():
        monkeypatch.setattr(postgres_store, "list_statements", statements)
        make(name)
        return statements()

    monkeypatch.setattr(postgres_store, "list_statements", be_late)
    with pytest.raises(GalleryError, match="not empty"):
        create_records(name, SETTINGS)
    open_records(name).close()


def test_a_missing_driver_is_told_with_what_installs_it(monkeypatch):
    for name in [name for name in sys.modules if "postgres_records" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for name in [name for name in sys.modules if ".postgres.postgres_" in name]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(GalleryError) as caught:
        open_records("postgresql://host/database/people")
    assert not lacking(str(caught.value), "promptreid[postgres]")
