"""Addresses and system packages as sources, against a server of the test's own; the whole way of a set's files."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import shutil
import socket
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from minigrad.data import load, sources
from minigrad.data.images import class_names
from minigrad.errors import DataError
from tests import published_files as made

CONTENT = bytes(range(256)) * 4000  # more than one piece


class Answers(http.server.BaseHTTPRequestHandler):
    """A server whose answer is told by the path that is asked for."""

    content = CONTENT
    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        kind = self.path.rpartition("/")[2]  # a proxy is asked for whole addresses
        if kind.isdigit():
            self.send_error(int(kind))
            return
        body = {"short": CONTENT[:-1], "long": CONTENT + b"x", "other": CONTENT[::-1], "page": b"<html>"}.get(kind, CONTENT)
        self.send_response(302 if kind == "moved" else 200)
        if kind == "moved":
            self.send_header("Location", "/good")
        if kind == "cut":
            self.send_header("Content-Length", str(len(CONTENT)))
            body = CONTENT[:1000]
        elif kind == "page":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind == "silent":
            self.wfile.write(CONTENT[:10])
            self.wfile.flush()
            self.server.done.wait(10)  # type: ignore[attr-defined]
        elif kind != "moved":
            try:
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True  # the client has seen enough

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the server."""
    without_proxies(monkeypatch)
    Answers.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        running.done = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/"
        running.done.set()  # type: ignore[attr-defined]
        running.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, not made yet."""
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def unused_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def described(name: str, content: bytes, *places: sources.Source, system: sources.SystemFile | None = None) -> sources.File:
    return sources.File(name, hashlib.sha256(content).hexdigest(), len(content), places, system)


def toy(*places: sources.Source, system: sources.SystemFile | None = None) -> tuple[sources.DataSet, sources.File]:
    file = described("toy.bin", CONTENT, *places, system=system)
    return sources.DataSet("toy", (file,), "MIT", "bytes"), file


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


def small_fashion(folder: Path, monkeypatch: pytest.MonkeyPatch, here: bool = True) -> dict[str, np.ndarray]:
    """A tiny set of Fashion-MNIST's form and name, in a system package's folder."""
    arrays = made.idx_arrays(height=28, width=28)
    made.write_idx(folder, arrays)
    files = []
    for name in made.IDX:
        path = folder / f"{name}.gz"
        packed = path.read_bytes()
        at = sources.SystemFile(str(path), "dataset-fashion-mnist", hashlib.sha256(packed).hexdigest(), len(packed))
        nowhere = sources.Upstream(f"http://127.0.0.1:{unused_port()}/{path.name}")
        files.append(described(path.name, gzip.decompress(packed), nowhere, system=at))
        if not here:
            path.unlink()
    known = sources.DATASETS["fashion-mnist"]
    small = sources.DataSet(known.name, tuple(files), known.licence, known.about, known.classes)
    monkeypatch.setitem(sources.DATASETS, "fashion-mnist", small)
    return arrays


def test_fashion_mnist(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = small_fashion(tmp_path / "system", monkeypatch)
    train_images, train_labels, test_images, test_labels = load("fashion-mnist")
    assert train_images.shape == (7, 1, 28, 28) and train_images.dtype == np.uint8 and train_labels.dtype == np.int64
    assert np.array_equal(train_images[:, 0], arrays[made.IDX[0]]) and np.array_equal(train_labels, arrays[made.IDX[1]])
    assert np.array_equal(test_images[:, 0], arrays[made.IDX[2]]) and np.array_equal(test_labels, arrays[made.IDX[3]])
    assert not cache.exists()


def test_fashion_mnist_without_package_and_network_names_all_that_is_missing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_proxies(monkeypatch)
    small_fashion(tmp_path / "system", monkeypatch, here=False)
    with pytest.raises(DataError) as caught:
        load("fashion-mnist")
    words = str(caught.value)
    assert "run apt-get install dataset-fashion-mnist. Connect to the network. Or save a copy by hand: " in words
    for file in sources.DATASETS["fashion-mnist"].files:
        assert f"{file.name} with sha256 {file.sha256} as {sources.cached_path(file)}" in words
    present = sources.DATASETS["fashion-mnist"].files[2]
    sources.cached_path(present).write_bytes(bytes(present.size))
    with pytest.raises(DataError) as caught:
        load("fashion-mnist")
    assert f"{made.IDX[2]}.gz with" not in str(caught.value)


def test_cifar10(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = made.cifar_arrays(2)
    content = made.cifar_archive(arrays, "bin")
    file = described("cifar-10-binary.tar.gz", content)
    monkeypatch.setitem(sources.DATASETS, "cifar10", sources.DataSet("cifar10", (file,), "none", "photos"))
    cache.mkdir()
    sources.cached_path(file).write_bytes(content)
    data = load("cifar10")
    assert (data.train_images.shape, data.test_images.shape) == ((10, 3, 32, 32), (2, 3, 32, 32))
    assert data.train_labels[4:6].tolist() == arrays["data_batch_3"][1].tolist()
    assert np.array_equal(data.test_images.reshape(2, -1), arrays["test_batch"][0])


def test_get_brings_every_file_and_tells(server: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (described(name, CONTENT, sources.Upstream(f"{server}good")) for name in ("a.bin", "b.bin"))
    monkeypatch.setitem(sources.DATASETS, "pair", sources.DataSet("pair", (first, second), "MIT", "two files"))
    told: list[str] = []
    assert sources.get("pair", lambda name, done, size: told.append(name)) == tuple(map(sources.cached_path, (first, second)))
    assert list(dict.fromkeys(told)) == ["a.bin", "b.bin"]
    with pytest.raises(DataError, match="expected one of mnist5k, fashion-mnist, cifar10, pair, got 'pears'"):
        sources.get("pears")


def test_overview(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen() -> dict[str, tuple[str, int, str | None]]:
        return {record.name: (record.state, record.to_fetch, record.path) for record in sources.overview()}

    small_fashion(tmp_path / "system", monkeypatch)
    files = sources.DATASETS["fashion-mnist"].files
    (digits,) = sources.DATASETS["mnist5k"].files
    assert seen() == {
        "mnist5k": ("absent", 1_106_785, None),
        "fashion-mnist": ("system", 0, str(tmp_path / "system")),
        "cifar10": ("absent", 170_052_171, None),
    }
    cache.mkdir()
    with open(sources.cached_path(digits), "wb") as file:
        file.truncate(digits.size)
    os.unlink(tmp_path / "system" / f"{made.IDX[1]}.gz")
    assert seen()["mnist5k"] == ("cached", 0, str(sources.cached_path(digits)))
    assert seen()["fashion-mnist"] == ("absent", files[1].size, None)
    for file in files:
        sources.cached_path(file).write_bytes(bytes(file.size))
    shutil.rmtree(tmp_path / "system")
    assert seen()["fashion-mnist"] == ("cached", 0, str(cache))
    for record in sources.overview():
        known = sources.DATASETS[record.name]
        assert (record.about, record.licence) == (known.about, known.licence)
        assert record.size == sum(file.size for file in known.files)


def test_class_names() -> None:
    assert class_names("mnist5k") == tuple("0123456789")
    assert class_names("fashion-mnist")[0::9] == ("T-shirt/top", "Ankle boot")
    assert class_names("cifar10")[0::9] == ("airplane", "truck")
    assert all(len(set(class_names(name))) == 10 for name in sources.DATASETS)
    with pytest.raises(DataError, match="expected one of mnist5k, fashion-mnist, cifar10, got 'mnist'"):
        class_names("mnist")


def test_what_debian_packs_and_what_is_published_differ_by_the_name_in_the_gzip_header() -> None:
    for file in sources.DATASETS["fashion-mnist"].files:
        name = file.name.removesuffix(".gz").encode() + b"\0"
        assert file.system is not None and file.system.size + len(name) == file.size


def test_sources_are_quiet_when_all_is_well(server: str, cache: Path) -> None:
    with warnings.catch_warnings(action="error"):
        for _ in range(2):
            sources.read(*toy(sources.Upstream(f"{server}good")))
