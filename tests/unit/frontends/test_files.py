"""Reading models from anywhere, and writing them back whole."""

from __future__ import annotations

import io
import os
import socket
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from chainrule.errors import InputError
from chainrule.frontends import files
from chainrule.frontends.files import Source, example_names, read, write_atomic


@pytest.fixture(autouse=True)
def _examples(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two examples, so that the tests do not hang on those shipped."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "seed.toml").write_text("[[layers]]\n")
    (folder / "xor.txt").write_text("y = w * x\n")
    (folder / "__init__.py").write_text("")
    monkeypatch.setattr(files, "_EXAMPLES", folder)


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(model: str | os.PathLike[str]) -> str:
    with pytest.raises(InputError) as caught:
        read(model)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.toml", "x", "toml"),
        ("a.JSON", "x", "json"),
        ("a.txt", "  {", "json"),
        ("a.txt", "layers = []", "toml"),
        ("a.txt", "not toml\n  [[layers]]\n=", "toml"),
        ("a.txt", "layers is a word", "equations"),
        ("a.py", "h = sigmoid(w * x)", "equations"),
    ],
)
def test_the_kind_is_told_by_the_ending_or_the_text(name: str, text: str, kind: str) -> None:
    Path(name).write_text(text)
    assert read(name) == Source(text, name, kind)  # type: ignore[arg-type]
    assert read(Path(name)).text == text


def test_examples_by_name() -> None:
    assert example_names() == ("seed", "xor")
    assert read("seed") == Source("[[layers]]\n", "seed.toml", "toml")
    assert read("xor").kind == "equations"


def test_a_path_wins_over_an_example() -> None:
    Path("seed").write_text("y = x")
    assert read("seed").text == "y = x"


def test_byte_order_mark_and_line_endings() -> None:
    Path("a.toml").write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    assert read("a.toml").text == "a = 1\r\nb = 2\r\n"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b'{"layers": 1}')))
    assert read("-") == Source('{"layers": 1}', "<stdin>", "json")
    monkeypatch.setattr("sys.stdin", None)
    assert refusal("-").startswith("FileError: cannot read standard input: it is closed\n")


def test_not_found() -> None:
    Path("network.toml").write_text("x")
    assert refusal("netwrk.toml") == (
        "FileError: there is no file or example named netwrk.toml\n"
        "  needs: a path, - for standard input, or an example: seed, xor\n"
        '  try: did you mean "network.toml"?'
    )
    assert 'did you mean "seed"?' in refusal("sead")
    assert "named ''" in refusal("")
    assert "no file or example" in refusal("nul\0byte")
    assert "no file or example" in refusal("network.toml/x")
    assert "no file or example" in refusal("x" * 5000)


def test_what_is_not_an_ordinary_file(tmp_path: Path) -> None:
    os.mkfifo("pipe")
    assert refusal("pipe") == (
        "FileError: pipe is a FIFO\n  needs: an ordinary file\n"
        "  try: use - and pipe the text into standard input"
    )
    assert "is a directory" in refusal(tmp_path)
    assert "is a device" in refusal("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert "s is a socket" in refusal("s")
    for name in ("pipe", "/dev/zero", os.fspath(tmp_path)):
        with pytest.raises(InputError, match="an ordinary file"):
            write_atomic(name, "x")


def test_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.toml").write_text("x")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    assert "cannot read a.toml: Permission denied" in refusal("a.toml")


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("a.toml", "wb") as file:
        file.truncate(64 * 2**20 + 1)
    assert refusal("a.toml") == (
        "FileError: a.toml is 67,108,865 bytes\n  needs: at most 64 MiB (67,108,864 bytes)"
    )
    monkeypatch.setattr(files, "_LARGEST", 3)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"abcdef")))
    assert "<stdin> is more than 3 bytes" in refusal("-")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "a.toml is empty"),
        (b" \r\n\t", "a.toml is blank"),
        (b"a = 1\nb\xff", "a.toml is not UTF-8: byte 7 is 0xff\n  at a.toml:2"),
        (b"\xef\xbb\xbf\xff", "is not UTF-8: byte 3 is 0xff\n  at a.toml:1"),
        (b"\xff\xfea\0", "it looks like UTF-16: save it as UTF-8"),
        (b"a\nb\0", "a.toml holds a NUL byte: byte 3\n  at a.toml:2"),
    ],
)
def test_bytes_that_are_no_text(raw: bytes, message: str) -> None:
    Path("a.toml").write_bytes(raw)
    assert message in refusal("a.toml")


def test_write_is_whole_and_keeps_the_mode() -> None:
    Path("a.toml").write_text("old")
    os.chmod("a.toml", 0o640)
    os.symlink("a.toml", "link.toml")
    write_atomic("link.toml", "η = 1\r\n")
    assert Path("a.toml").read_bytes() == "η = 1\r\n".encode()
    assert stat.S_IMODE(os.stat("a.toml").st_mode) == 0o640
    assert os.path.islink("link.toml")
    write_atomic("new.toml", "x")
    assert sorted(os.listdir()) == ["a.toml", "link.toml", "new.toml"]


def test_a_failed_write_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.toml").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match=r"cannot write a\.toml: No space left on device"):
        write_atomic("a.toml", "new")
    assert os.listdir() == ["a.toml"]
    assert Path("a.toml").read_text() == "old"
    with pytest.raises(InputError, match="cannot write"):
        write_atomic("no/such/folder.toml", "x")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(InputError, match="Permission denied"):
        write_atomic("a.toml", "new")
