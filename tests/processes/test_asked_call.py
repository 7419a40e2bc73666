"""What somebody asked for is known while it runs."""

from pathlib import Path

from promptreid.processes.asked_call import asked_call, call_text, read_asked_call


def train(recipe=None, data=(), *, out=None, seed=None, progress=None, **settings):
    return call_text("train", train, locals())


def compare(*runs, seeds="together"):
    return call_text("compare", compare, locals())


def test_the_outermost_is_what_was_asked_for():
    assert read_asked_call() == ()
    with asked_call(["promptreid", "train"]):
        with asked_call(["promptreid.train()"]):
            assert read_asked_call() == ("promptreid", "train")
        assert read_asked_call() == ("promptreid", "train")
    assert read_asked_call() == ()


def test_a_call_is_written_as_python_and_without_its_defaults():
    text = train("tiny", "folder:a b", out=Path("runs/x"), progress=print, epochs=2)
    assert text == "promptreid.train('tiny', 'folder:a b', out='runs/x', epochs=2)"
    assert train(data=["a", "b"]) == "promptreid.train(data=['a', 'b'])"
    assert compare("a", Path("b")) == "promptreid.compare('a', 'b')"
    assert compare("a", seeds="apart") == "promptreid.compare('a', seeds='apart')"
