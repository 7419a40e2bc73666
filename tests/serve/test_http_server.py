"""Where a service listens, and by which names it may be called."""

import pytest
from facts import lacking

from promptreid.errors import ConfigError
from promptreid.serve.http_server import Address, listen


def test_names_are_the_same_in_capitals():
    assert Address("0.0.0.0", 80).find_hosts(("Gallery.Example.ORG",)) == {"gallery.example.org"}
    assert "door.local" in (Address("127.0.0.1", 80).find_hosts(("Door.local",)) or ())
    assert Address("0.0.0.0", 80).find_hosts(()) is None


@pytest.mark.parametrize("host", ["a" * 100, "a..b"])
def test_a_name_that_no_host_can_have_is_refused(host):
    with pytest.raises(ConfigError) as caught:
        listen(Address(host, 0))
    assert not lacking(str(caught.value), host, "--host")


def test_a_port_that_is_taken_is_told():
    with listen(Address("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            listen(Address("127.0.0.1", port))
    assert not lacking(str(caught.value), f"port {port}", "--port")


def test_what_is_no_certificate_is_refused(tmp_path):
    paper, key = tmp_path / "paper.pem", tmp_path / "key.pem"
    paper.write_text("no certificate")
    key.write_text("no key")
    for address in (Address("127.0.0.1", 0, paper), Address("127.0.0.1", 0, paper, key)):
        with pytest.raises(ConfigError) as caught:
            listen(address)
        assert not lacking(str(caught.value), str(paper), "--certificate", "--key")
    assert str(key) in str(caught.value)
