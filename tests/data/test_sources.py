# SPDX-License-Identifier: Apache-2.0
"""Where the files come from: in order, within their time, and verified."""

import gzip
import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.data import debian, original, sources, watched
from dropout_jax.data.fashion_files import FILES
from dropout_jax.data.unavailable import Unavailable


def unavailable(work):
    raise Unavailable("gone fishing")


def test_order():
    names = [name for name, _ in sources.SOURCES]
    assert [name.split(" ")[0] for name in names] == ["installed", "download", "Debian"]


def test_first_good_source_is_taken(idx_files, linked, tmp_path, monkeypatch):
    """One that is not there and one with a wrong file are passed over."""
    (linked / FILES[3].name).unlink()
    monkeypatch.setattr(
        sources,
        "SOURCES",
        (
            ("none", unavailable),
            ("bad", lambda work: linked),
            ("good", lambda work: idx_files),
            ("too late", lambda work: pytest.fail("not to be asked")),
        ),
    )
    assert sources.find(tmp_path).source == "good"


def test_nothing_reached_is_one_line_with_the_remedies(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/none";\n'
        f'Dir::Etc::sourceparts "{tmp_path}/none";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setattr(debian, "installed", lambda: unavailable(None))
    start = time.monotonic()
    with pytest.raises(UserError) as caught:
        sources.find(tmp_path)
    message = str(caught.value)
    assert time.monotonic() - start < 10
    assert "\n" not in message
    for words in (
        "nowhere to be had",
        "gone fishing",
        "Connection refused",
        "install the Debian package dataset-fashion-mnist",
        "--config.data.source_dir",
        "connect to a network",
    ):
        assert words in message, message
    assert all(name in message for name, _ in sources.SOURCES)


# --- A program that fetches is ended when nothing comes.


def python(code):
    return [sys.executable, "-c", code]


def test_silence_ends_it(tmp_path):
    code = "import time; time.sleep(60)"
    start = time.monotonic()
    with pytest.raises(Unavailable, match=r"nothing came for 0\.5 s"):
        watched.run(python(code), tmp_path, first=0.5, later=60)
    assert time.monotonic() - start < 10


def test_ended_means_gone(tmp_path):
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(Unavailable, match="nothing came for 1 s"):
        watched.run(python(code), tmp_path, first=30, later=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_slow_but_steady_is_let_run(tmp_path):
    """Two seconds in all, though a second of silence would be too much."""
    code = (
        "import time\n"
        "with open('file', 'wb', buffering=0) as file:\n"
        "    for _ in range(20): file.write(b'x'); time.sleep(0.1)"
    )
    watched.run(python(code), tmp_path, first=30, later=1)
    assert (tmp_path / "file").stat().st_size == 20


def test_last_line_of_the_complaint_is_the_reason(tmp_path, capfd):
    code = "import sys; print('loud'); sys.exit('first\\nlast\\n')"
    with pytest.raises(Unavailable, match=r"^last$"):
        watched.run(python(code), tmp_path, first=30, later=30)
    with pytest.raises(Unavailable, match="there is no no-such-program"):
        watched.run(["no-such-program"], tmp_path, first=1, later=1)
    assert capfd.readouterr() == ("", "")


# --- The original download, from a server of our own in its place.


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve a directory as the proxy through which the original is asked for."""
    directory = tmp_path / "served"
    directory.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(directory))

        def translate_path(self, path):
            return str(directory / path.rpartition("/")[2])

        def log_message(self, format, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listening.server_port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        yield directory
        listening.shutdown()
        thread.join()


@pytest.fixture
def work(tmp_path):
    directory = tmp_path / "work"
    directory.mkdir()
    return directory


def serve(directory, idx_files):
    for file in FILES:
        packed = gzip.compress((idx_files / file.name).read_bytes(), 1, mtime=0)
        (directory / f"{file.name}.gz").write_bytes(packed)


def test_download_with_the_wrong_sha256_is_refused(server, idx_files, work):
    """The right images, packed anew: not the bytes whose sha256 TFDS knows."""
    serve(server, idx_files)
    with pytest.raises(Unavailable, match="has wrong checksum"):
        original.fetch(work)


def test_download(server, idx_files, work):
    """The downloading half, with TFDS told the sha256 of what our server has."""
    serve(server, idx_files)
    infos = {
        file.name: hashlib.sha256((server / f"{file.name}.gz").read_bytes()).hexdigest()
        for file in FILES
    }
    code = f"""
import pathlib
from dropout_jax.data import original
from tensorflow_datasets.core.download import checksums
known = {{}}
for name, sha256 in {infos!r}.items():
    size = pathlib.Path({str(server)!r}, name + ".gz").stat().st_size
    known[original.URL + name + ".gz"] = checksums.UrlInfo(
        size=size, checksum=sha256, filename=name + ".gz"
    )
checksums.get_all_url_infos = lambda: dict(known)
original._download(pathlib.Path({str(work)!r}))
"""
    root = str(original.Path(original.__file__).parents[2])
    subprocess.run(
        python(code), env={**os.environ, "PYTHONPATH": root}, check=True, timeout=60
    )
    got = sources.read_files(work)
    assert len(got["train"].labels) == 60_000


def test_server_that_says_nothing(work, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("http_proxy", address)
        monkeypatch.setattr(original, "_SECONDS", 2.0)
        start = time.monotonic()
        with pytest.raises(Unavailable, match="nothing came for 2 s"):
            original.fetch(work)
        assert time.monotonic() - start < 10


# --- Debian's package, from a repository of our own.


def test_installed(tmp_path):
    with pytest.raises(Unavailable, match="not installed"):
        debian.installed(tmp_path)
    (tmp_path / debian.FOLDER).mkdir(parents=True)
    assert debian.installed(tmp_path) == tmp_path / debian.FOLDER


@pytest.fixture
def repository(tmp_path, idx_files, monkeypatch):
    """A package repository in a directory, and apt set up to use only that."""
    tree, pool = tmp_path / "tree", tmp_path / "pool"
    (tree / "DEBIAN").mkdir(parents=True)
    control = (
        f"Package: {debian.PACKAGE}\nVersion: 1\nArchitecture: all\n"
        "Maintainer: Nobody <nobody@localhost>\nDescription: test\n"
    )
    (tree / "DEBIAN" / "control").write_text(control)
    (tree / debian.FOLDER).mkdir(parents=True)
    for file in FILES:
        os.link(idx_files / file.name, tree / debian.FOLDER / file.name)
    pool.mkdir()
    package = pool / f"{debian.PACKAGE}_1_all.deb"
    subprocess.run(
        ["dpkg-deb", "-Znone", "--build", tree, package],
        check=True,
        capture_output=True,
        timeout=60,
    )
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    (pool / "Packages").write_text(
        f"{control}Filename: ./{package.name}\n"
        f"Size: {package.stat().st_size}\nSHA256: {digest}\n"
    )
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{pool} ./\n")
    hook = tmp_path / "hook-ran"
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\n'
        f'Dir::Etc::sourceparts "{tmp_path}/none";\n'
        f'APT::Update::Post-Invoke {{ "touch {hook}"; }};\n'
        f'APT::Update::Pre-Invoke {{ "touch {hook}"; }};\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return pool


def system_state():
    """Names and times of all that apt keeps for the system."""
    return {
        path: path.lstat().st_mtime_ns
        for folder in ("/var/lib/apt", "/var/cache/apt", "/var/lib/dpkg")
        for path in original.Path(folder).rglob("*")
    }


@pytest.mark.debian
def test_fetch_with_apt(repository, work, tmp_path, capfd):
    before = system_state()
    directory = debian.fetch(work)
    assert directory == work / debian.FOLDER
    assert len(sources.read_files(directory)["test"].labels) == 10_000
    assert system_state() == before
    assert not (tmp_path / "hook-ran").exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.debian
def test_apt_without_the_package(repository, work):
    (repository / "Packages").write_text("")
    with pytest.raises(Unavailable, match="Unable to locate package"):
        debian.fetch(work)


@pytest.mark.debian
def test_damaged_package_is_refused_by_apt(repository, work):
    package = next(repository.glob("*.deb"))
    content = bytearray(package.read_bytes())
    content[len(content) // 2] ^= 1
    package.write_bytes(content)
    with pytest.raises(Unavailable):
        debian.fetch(work)


def test_no_apt_here(work, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="there is no apt-get"):
        debian.fetch(work)
