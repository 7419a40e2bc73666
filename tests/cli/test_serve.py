"""`promptreid serve`: a real process, and what it refuses to do."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid

import numpy as np
import pytest
from facts import lacking
from served_gallery import png
from starlette.testclient import TestClient

from promptreid.cli.main import main
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.searching.indexes import index_choice, row_store
from promptreid.progress import Silent


def run(capsys, *arguments):
    """Run a command; return its exit code and what it said."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.fixture(scope="module")
def made(crops, tmp_path_factory):
    """A zero-shot run, and a gallery of twelve people."""
    folder = tmp_path_factory.mktemp("serve")
    model = ["backbone.name=tiny", "backbone.image_size=32"]
    for command in (
        ["train", "zero-shot", *model, "--data", f"folder:{crops}", "--out", folder / "run"],
        ["gallery", "create", folder / "people", "--model", folder / "run"],
        ["gallery", "add", folder / "people", f"folder:{crops}"],
    ):
        with pytest.raises(SystemExit) as caught:
            main([*map(str, command), "--device", "cpu"])
        assert caught.value.code == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (["PLACE", "--host", "0.0.0.0"], ["0.0.0.0", "token", "--token-file"]),
        (["PLACE", "--token-file", "missing.json"], ["missing.json", "promptreid serve token"]),
        (["nowhere"], ["nowhere", "gallery create"]),
        (["RUN"], ["RUN", "--gallery"]),
        (["PLACE", "--host", "256.1.1.1", "--token-file", "TOKENS"], ["256.1.1.1", "--host"]),
        (["PLACE", "--key", "TOKENS"], ["--certificate"]),
        (["token", "door"], ["--token-file"]),
        (["token", " ", "--token-file", "TOKENS"], ["empty"]),
    ],
)
def test_mistakes_are_told_in_words(made, tmp_path, capsys, arguments, facts):
    tokens = tmp_path / "tokens.json"
    run(capsys, "serve", "token", "door", "--token-file", tokens)
    stands_for = {"PLACE": made / "people", "RUN": made / "run", "TOKENS": tokens}
    code, _, err = run(capsys, "serve", *(stands_for.get(word, word) for word in arguments))
    assert code == 2
    assert not lacking(err, *(str(stands_for.get(fact, fact)) for fact in facts))


def test_a_token_is_printed_once_and_only_its_digest_is_kept(tmp_path, capsys):
    file = tmp_path / "tokens.json"
    code, out, _ = run(capsys, "serve", "token", "door", "--token-file", file, "--right", "enrol")
    [row] = json.loads(file.read_text())["tokens"]
    assert code == 0
    assert re.fullmatch(r"prid_\S{43}\n", out)
    assert out.strip() not in file.read_text()
    assert (row["name"], row["rights"]) == ("door", {"*": ["enrol"]})


@pytest.mark.slow
def test_the_next_model_is_in_memory_when_the_gallery_changes_to_it(
    made, crops, tmp_path, capsys, monkeypatch
):
    place, better = shutil.copytree(made / "people", tmp_path / "people"), tmp_path / "better"
    picture, seen = (crops / "000" / "0.png").read_bytes(), []
    given = ["backbone.name=tiny", "backbone.image_size=48", "--data", f"folder:{crops}"]
    assert run(capsys, "train", "zero-shot", *given, "--out", better, "--device", "cpu")[0] == 0

    def ask(client):
        answer = client.post("/v1/search", files={"pictures": ("a.png", picture, "image/png")})
        seen.append(client.get("/v1/info").json()["model"])
        return answer.status_code

    def use(app, address, taken, started):
        taken.close()
        with TestClient(app, base_url="http://127.0.0.1") as client:
            assert ask(client) == 200
            change = ("gallery", "reembed", place, "--model", better, "--device", "cpu")
            assert run(capsys, *change)[0] == 0
            shutil.rmtree(better)
            assert ask(client) == 200

    monkeypatch.setattr("promptreid.serve.http_server.run_server", use)
    served = ("serve", made / "run", "--gallery", place, "--next", better, "--port", "0")
    assert run(capsys, *served, "--device", "cpu")[0] == 0
    opened = Gallery.open(place)
    assert seen[0] != seen[1] == opened.info().fingerprint
    opened.close()
    code, _, err = run(capsys, *served[:2], "--gallery", place, "--device", "cpu")
    assert (code, not lacking(err, seen[1][:16], seen[0][:16])) == (2, True)


class Told(Silent):
    """Writes down what a command says, counts and does, in order."""

    def __init__(self):
        self.words = []

    def message(self, text):
        self.words.append(text)

    def doing(self, text):
        self.words.append(text)
        return super().doing(text)

    def start(self, title, total, unit):
        self.words.append(f"{title}: {total} {unit}")


def test_a_gallery_is_made_ready_in_words_before_the_port_is_open(
    made, capsys, monkeypatch, tmp_path
):
    place, told = shutil.copytree(made / "people", tmp_path / "people"), Told()
    for module, name in ((index_choice, "BITS_FROM"), (row_store, "SEGMENT")):
        monkeypatch.setattr(module, name, 16)
    for user in ("output", "serve"):
        monkeypatch.setattr(f"promptreid.cli.{user}.reporter", lambda: told)

    def use(app, address, taken, started):
        told.words.append("listening")
        taken.close()
        app.state.service.stop()

    monkeypatch.setattr("promptreid.serve.http_server.run_server", use)
    assert run(capsys, "serve", place, "--port", "0", "--device", "cpu")[0] == 0
    [ready] = [words for words in told.words if "port" in words]
    assert str(place) in ready
    order = [ready, "making the index: 60 entries", "listening"]
    assert [words for words in told.words if words in order] == order


class Process:
    """A service in a process of its own."""

    def __init__(self, place):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "promptreid", "serve", str(place), "--port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.said = []
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("used"):
                break
        assert len(self.said) == 4, self.process.stderr.read()
        self.url = re.search(r"page\s+(\S+)/\n", "".join(self.said))[1]

    def post(self, path, picture, **fields):
        """Send a picture; return the status and the answer."""
        mark = uuid.uuid4().hex
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        head = 'Content-Disposition: form-data; name="pictures"; filename="a.png"'
        parts += [f"--{mark}\r\n{head}\r\n\r\n".encode(), picture, f"\r\n--{mark}--\r\n".encode()]
        request = urllib.request.Request(
            self.url + path,
            b"".join(parts),
            {"Content-Type": f"multipart/form-data; boundary={mark}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


@pytest.mark.slow
def test_a_service_that_is_terminated_loses_nothing_it_acknowledged(made):
    served = Process(made / "people")
    enrolled, refused = set(), []
    lock = threading.Lock()

    def enrol(client):
        rng = np.random.default_rng(client)
        for step in range(10_000):
            name = f"client {client} step {step}"
            picture = png(rng.integers(0, 256, (32, 32, 3), np.uint8))
            try:
                status, body = served.post("/v1/entries", picture, identity=name)
            except OSError as error:  # refused, or cut off: nothing was acknowledged
                refused.append(error)
                return
            if status == 201:
                with lock:
                    enrolled.add((name, body["pictures"][0]["entry"]))
            else:
                refused.append(status)
                return

    threads = [threading.Thread(target=enrol, args=(client,)) for client in range(4)]
    for thread in threads:
        thread.start()
    while len(enrolled) < 12:
        assert any(thread.is_alive() for thread in threads), refused
    assert served.process.poll() is None
    served.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    out, err = served.process.communicate(timeout=60)
    assert (served.process.returncode, out) == (0, "stopped\n"), err
    assert len(refused) == 4
    gallery = Gallery.open(made / "people")
    names = {row.name: [one.entry for one in gallery.entries(row.identity)]
             for row in gallery.identities()}  # fmt: skip
    assert all(names.get(name) == [entry] for name, entry in enrolled)
    assert gallery.check() == []
    gallery.close()
