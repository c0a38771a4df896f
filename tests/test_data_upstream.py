"""Addresses and system packages as sources, against a server of the test's own, and every way in which they fail."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import ssl
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from minigrad.data import sources
from minigrad.errors import DataError
from tests.file_server import CONTENT, Answers, running, toy, unused_port, without_proxies


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    without_proxies(monkeypatch)
    with running() as address:
        yield address


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, not made yet."""
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def refusal(url: str, timeout: float = 5.0) -> DataError:
    with pytest.raises(DataError) as caught:
        sources.fetch(*toy(sources.Upstream(url, timeout)))
    assert (caught.value.where, caught.value.argument) == ("data", "toy")
    assert os.listdir(sources.cache_folder()) == []  # nothing is left of it
    return caught.value


def test_fetches_once_with_progress(server: str, cache: Path) -> None:
    told: list[tuple[str, int, int]] = []
    data, file = toy(sources.Upstream(f"{server}good"))
    paths = [sources.fetch(data, file, lambda *step: told.append(step)) for _ in range(3)]
    assert paths == [sources.cached_path(file)] * 3
    assert paths[0].read_bytes() == CONTENT == sources.read(data, file)
    assert Answers.asked == ["/good"]
    assert {(name, size) for name, _, size in told} == {("toy.bin", len(CONTENT))}
    steps = [done for _, done, _ in told]
    assert steps == sorted(set(steps)) and steps[-1] == len(CONTENT) and len(steps) > 2
    assert os.listdir(cache) == [sources.cached_path(file).name]


def test_a_redirection_is_followed(server: str, cache: Path) -> None:
    data, file = toy(sources.Upstream(f"{server}moved"))
    assert sources.read(data, file) == CONTENT
    assert Answers.asked == ["/moved", "/good"]


@pytest.mark.parametrize(
    ("kind", "got", "remedy"),
    [
        ("404", "the answer 404 Not Found", "The file was moved or withdrawn there"),
        ("410", "the answer 410 Gone", "The file was moved or withdrawn there"),
        ("503", "the answer 503 Service Unavailable", "Try again later"),
        ("cut", "1000 of 1024000 bytes, then the connection was cut off", "Try again"),
        ("short", "1023999 of 1024000 bytes, then the connection was cut off", "Try again"),
        ("long", "more than 1024000 bytes", "If a page that asks you to sign in"),
        ("page", "6 bytes announced", "If a page that asks you to sign in"),
        ("other", f"1024000 bytes with sha256 {hashlib.sha256(CONTENT[::-1]).hexdigest()} from http", "Nothing was kept"),
    ],
)
def test_answers_that_are_refused(kind: str, got: str, remedy: str, server: str, cache: Path) -> None:
    error = refusal(f"{server}{kind}")
    assert error.got.startswith(got)
    assert error.remedy.startswith(remedy)
    file = toy()[1]
    assert error.remedy.endswith(f"Or save a copy by hand: toy.bin with sha256 {file.sha256} as {sources.cached_path(file)}")


def test_a_server_that_falls_silent(server: str, cache: Path) -> None:
    error = refusal(f"{server}silent", timeout=0.2)
    assert error.got == "10 of 1024000 bytes, then no further byte in 0.2 seconds"


def test_a_server_that_never_answers(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        error = refusal(f"http://127.0.0.1:{deaf.getsockname()[1]}/good", timeout=0.2)
    assert (error.got, error.remedy.split(". ")[0]) == ("no answer in 0.2 seconds", "Connect to the network")


def test_nobody_at_that_address(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)
    error = refusal(f"http://127.0.0.1:{unused_port()}/good")
    assert error.got == "no connection (Connection refused)"
    assert error.remedy.startswith("Connect to the network. Or save a copy by hand: ")


def test_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    without_proxies(monkeypatch)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = refusal("https://example.invalid/toy.bin")
    assert error.expected == "https://example.invalid/toy.bin"
    assert error.got == "no connection (Name or service not known)"


def test_a_proxy_that_does_not_answer_is_named_without_its_password(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)
    place = f"127.0.0.1:{unused_port()}"
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://me:secret@{place}")
    for scheme in ("http", "https"):
        error = refusal(f"{scheme}://example.invalid/toy.bin")
        assert error.got == f"no connection (Connection refused) through the proxy {place}"
        assert "or set HTTPS_PROXY and HTTP_PROXY right" in error.remedy
        assert "secret" not in str(error)


def test_a_proxy_that_refuses(server: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server)
    error = refusal("http://example.invalid/407")
    proxy = server.removeprefix("http://").rstrip("/")
    assert error.got == f"the answer 407 Proxy Authentication Required through the proxy {proxy}"


def test_no_certificate(server: str, cache: Path) -> None:
    assert refusal(server.replace("http:", "https:") + "good").got.startswith("no connection (")


def test_a_certificate_that_does_not_hold(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cause = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    cause.verify_message = "certificate is not yet valid"

    def refuse(*args: object, **options: object) -> None:
        raise urllib.error.URLError(cause)

    without_proxies(monkeypatch)
    monkeypatch.setattr(urllib.request.OpenerDirector, "open", refuse)
    error = refusal("https://example.invalid/toy.bin")
    assert error.got == "a certificate that does not hold (certificate is not yet valid)"
    assert error.remedy.startswith("Check the clock of this machine. ")


def test_no_room(server: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=len(CONTENT) - 1))
    error = refusal(f"{server}good")
    assert (error.expected, error.got) == (f"room for {len(CONTENT)} bytes in {cache}", "a full disk")
    assert Answers.asked == []  # told before anything is downloaded


def test_a_second_address_serves_when_the_first_fails(server: str, cache: Path) -> None:
    both = (sources.Upstream(f"{server}404"), sources.Upstream(f"{server}good"))
    assert sources.read(*toy(*both)) == CONTENT
    data, file = toy(both[0], sources.Upstream(f"{server}cut"))
    sources.cached_path(file).unlink()
    with pytest.raises(DataError) as caught:
        sources.fetch(data, file)
    assert caught.value.expected == f"{server}404 or {server}cut"
    assert caught.value.got.startswith("the answer 404 Not Found; 1000 of 1024000 bytes")


PACKED = b"the same, packed anew"


def system(folder: Path, content: bytes = PACKED) -> sources.SystemFile:
    return sources.SystemFile(str(folder / "packed.gz"), "dataset-toy", hashlib.sha256(content).hexdigest(), len(content))


def test_a_system_package_comes_first_and_is_not_copied(server: str, cache: Path, tmp_path: Path) -> None:
    place = tmp_path / "packed.gz"
    place.write_bytes(PACKED)
    data, file = toy(sources.Upstream(f"{server}good"), system=system(tmp_path))
    assert sources.fetch(data, file) == place
    assert sources.read(data, file) == PACKED
    assert Answers.asked == [] and not cache.exists()


def test_without_the_package_the_address_serves(server: str, cache: Path, tmp_path: Path) -> None:
    data, file = toy(sources.Upstream(f"{server}good"), system=system(tmp_path))
    assert sources.fetch(data, file) == sources.cached_path(file)
    assert Answers.asked == ["/good"]


def test_a_package_with_other_contents_is_passed_over_and_said(server: str, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "packed.gz").write_bytes(PACKED[::-1])
    data, file = toy(sources.Upstream(f"{server}good"), system=system(tmp_path))
    with pytest.warns(UserWarning, match=r"packed\.gz of the system's package dataset-toy is passed over: .*got 21 bytes with"):
        assert sources.read(data, file) == CONTENT


def test_neither_package_nor_network(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)
    url = f"http://127.0.0.1:{unused_port()}/good"
    data, file = toy(sources.Upstream(url), system=system(tmp_path))
    with pytest.raises(DataError) as caught:
        sources.fetch(data, file)
    assert str(caught.value) == (
        f"data: toy: expected {tmp_path}/packed.gz of the system's package dataset-toy or {url}, "
        "got no such file; no connection (Connection refused). "
        "On Debian or Ubuntu, run apt-get install dataset-toy. Connect to the network. "
        f"Or save a copy by hand: toy.bin with sha256 {file.sha256} as {sources.cached_path(file)}."
    )


def test_offline_with_a_copy_in_the_cache(cache: Path, tmp_path: Path) -> None:
    data, file = toy(sources.Upstream("http://127.0.0.1:9/good"), system=system(tmp_path))
    cache.mkdir()
    sources.cached_path(file).write_bytes(CONTENT)
    assert sources.read(data, file) == CONTENT


def test_a_damaged_copy_is_fetched_anew(server: str, cache: Path) -> None:
    data, file = toy(sources.Upstream(f"{server}good"))
    cache.mkdir()
    sources.cached_path(file).write_bytes(CONTENT[::-1])
    with pytest.warns(UserWarning, match=r"toy\.bin is damaged.*fetched anew"):
        sources.fetch(data, file)
    assert sources.cached_path(file).read_bytes() == CONTENT


def test_a_damaged_copy_that_cannot_be_fetched_stays(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)
    data, file = toy(sources.Upstream(f"http://127.0.0.1:{unused_port()}/good"))
    cache.mkdir()
    sources.cached_path(file).write_bytes(b"half")
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(DataError, match=r"toy\.bin with sha256"):
        sources.fetch(data, file)
    assert sources.cached_path(file).read_bytes() == b"half"


def test_sources_are_quiet_when_all_is_well(server: str, cache: Path) -> None:
    with warnings.catch_warnings(action="error"):
        for _ in range(2):
            sources.read(*toy(sources.Upstream(f"{server}good")))
