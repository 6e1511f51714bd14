"""Reading a model's text from a file, standard input or the shipped examples; writing text back."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, NoReturn

from chainrule.errors import Fault, InputError, closest

__all__ = ["Kind", "Source", "example_names", "given", "read", "write_atomic"]

Kind = Literal["toml", "json", "equations"]

_LARGEST = 64 * 2**20
_MOST_SIBLINGS = 1000
_EXAMPLES = Path(__file__).parent.parent / "examples"
_EXAMPLE_ENDINGS = (".toml", ".txt")
_KIND_OF_ENDING: dict[str, Kind] = {".toml": "toml", ".json": "json"}
_LAYERS_LINE = re.compile(r"^\s*\[\[\s*layers\s*\]\]", re.MULTILINE)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL)


@dataclass(frozen=True)
class Source:
    """A model's text, the name to call it by in messages, and which frontend reads it.

    `called` is what documents call a model whose name is no file's.
    """

    text: str
    name: str
    kind: Kind
    called: str = ""

    @property
    def title(self) -> str:
        """What documents call the model: the file's name without its ending."""
        return self.called or os.path.splitext(os.path.basename(self.name))[0]


def read(model: str | os.PathLike[str]) -> Source:
    """The text of `model`: a path, `-` for standard input, or the name of an example.

    A path that exists wins over an example of the same name.  A byte order
    mark is dropped; line endings stay as they are.

    Raises:
        InputError: there is no such file or example; it is a directory, a
            FIFO or a device; it cannot be read; it is larger than 64 MiB,
            empty, not UTF-8, or holds NUL bytes.
    """
    given = os.fspath(model)
    if given == "-":
        name, raw = "<stdin>", _read_stdin()
    else:
        path = _path_of(given)
        name = path.name if path.parent == _EXAMPLES else given
        raw = _read_file(path, name)
    text = _decode(raw, name)
    return Source(text, name, _KIND_OF_ENDING.get(Path(name).suffix.lower()) or _sniff(text))


def given(text: str, title: str, kind: Kind | None = None) -> Source:
    """A text that is in no file; without `kind` it is seen from the text.

    Raises: InputError where it is blank, or holds what no file of UTF-8 can.
    """
    name = "<text>"
    text = _decode(text.encode("utf-8", "surrogatepass"), name)
    return Source(text, name, kind or _sniff(text), title)


def example_names() -> tuple[str, ...]:
    """The names of the shipped examples, sorted."""
    return tuple(sorted(_examples()))


def write_atomic(path: str | os.PathLike[str], content: str | bytes | Iterable[str]) -> None:
    """Write `content`, or its parts, to `path`, text as UTF-8, all of it or none of it.

    It goes to a new file in the same directory, which then takes the
    name.  An existing file keeps its mode; a symbolic link keeps pointing.

    Raises:
        InputError: `path` is not an ordinary file, or cannot be written.
    """
    name = os.fspath(path)
    try:
        target = os.path.realpath(name)
        mode = _mode_of_writable(target, name)
        parts: Iterable[str | bytes]
        parts = [content] if isinstance(content, (str, bytes)) else content
        scratch = os.path.join(os.path.dirname(target), f".chainrule-{os.urandom(8).hex()}")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with open(descriptor, "wb") as file:
                file.writelines(part.encode() if isinstance(part, str) else part for part in parts)
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                os.chmod(scratch, mode)
            os.replace(scratch, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(scratch)
            raise
    except (OSError, ValueError) as error:
        _refuse(f"cannot write {name}: {_reason(error)}", needs="a file name that can be written")


def _examples() -> dict[str, Path]:
    if not _EXAMPLES.is_dir():
        return {}
    files = sorted(_EXAMPLES.iterdir(), reverse=True)  # of two endings, .toml wins
    return {file.stem: file for file in files if file.suffix in _EXAMPLE_ENDINGS}


def _refuse(
    what: str,
    *,
    file: str | None = None,
    line: int | None = None,
    needs: str | None = None,
    hint: str | None = None,
) -> NoReturn:
    raise InputError(Fault("FileError", what, file, line, None, needs, hint)) from None


def _reason(error: OSError | ValueError) -> str:
    """What the system said, without the path and the number."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _path_of(given: str) -> Path:
    """The path to open for `given`, or the refusal that lists what there is."""
    try:
        os.stat(given)
        return Path(given)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in _ABSENT:
            _refuse(f"cannot read {given}: {_reason(error)}", needs="a file that can be read")
    examples = _examples()
    if given in examples:
        return examples[given]
    _refuse(
        f"there is no file or example named {given or repr(given)}",
        needs=f"a path, - for standard input, or an example: {', '.join(sorted(examples))}",
        hint=closest(os.path.basename(given), [*examples, *_siblings(given)]),
    )


def _siblings(given: str) -> list[str]:
    """Names in the directory that `given` points into."""
    try:
        with os.scandir(os.path.dirname(given) or ".") as entries:
            return [entry.name for entry in islice(entries, _MOST_SIBLINGS)]
    except (OSError, ValueError):
        return []


def _read_file(path: Path, name: str) -> bytes:
    try:
        status = os.stat(path)
        _check_ordinary(status.st_mode, name)
        if status.st_size > _LARGEST:
            _refuse_large(name, f"{status.st_size:,} bytes")
        with open(path, "rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        _refuse(f"cannot read {name}: {_reason(error)}", needs="a file that can be read")
    return _within_limit(raw, name)


def _read_stdin() -> bytes:
    try:
        raw: bytes = sys.stdin.buffer.read(_LARGEST + 1)
    except (OSError, ValueError, AttributeError) as error:  # closed, a directory, or none at all
        reason = "it is closed" if isinstance(error, AttributeError) else _reason(error)
        _refuse(f"cannot read standard input: {reason}", needs="a text on standard input")
    return _within_limit(raw, "<stdin>")


def _within_limit(raw: bytes, name: str) -> bytes:
    if len(raw) > _LARGEST:
        _refuse_large(name, f"more than {_LARGEST:,} bytes")
    return raw


def _refuse_large(name: str, size: str) -> NoReturn:
    _refuse(f"{name} is {size}", needs=f"at most {_LARGEST // 2**20} MiB ({_LARGEST:,} bytes)")


_SPECIAL = (
    (stat.S_ISDIR, "a directory", "name a file in it"),
    (stat.S_ISFIFO, "a FIFO", "use - and pipe the text into standard input"),
    (stat.S_ISSOCK, "a socket", None),
    (lambda mode: not stat.S_ISREG(mode), "a device", None),
)


def _check_ordinary(mode: int, name: str) -> None:
    for applies, what, hint in _SPECIAL:
        if applies(mode):
            _refuse(f"{name} is {what}", needs="an ordinary file", hint=hint)


def _mode_of_writable(target: str, name: str) -> int | None:
    """The permission bits of the file that is to be replaced; None if there is none yet."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    _check_ordinary(mode, name)
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return stat.S_IMODE(mode)


def _decode(raw: bytes, name: str) -> str:
    mark = len(_BYTE_ORDER_MARK) if raw.startswith(_BYTE_ORDER_MARK) else 0
    try:
        text = raw[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        offset = error.start + mark
        _refuse_byte(
            raw,
            offset,
            name,
            f"is not UTF-8: byte {offset} is 0x{raw[offset]:02x}",
            "it looks like UTF-16: save it as UTF-8" if raw[:2] in _UTF_16_MARKS else None,
        )
    if "\0" in text:
        _refuse_byte(raw, raw.index(0), name, f"holds a NUL byte: byte {raw.index(0)}")
    if not text.strip():
        _refuse(f"{name} is {'blank' if text else 'empty'}", needs="the description of a network")
    return text


def _refuse_byte(
    raw: bytes, offset: int, name: str, what: str, hint: str | None = None
) -> NoReturn:
    line = raw.count(b"\n", 0, offset) + 1
    _refuse(f"{name} {what}", file=name, line=line, needs="text in UTF-8", hint=hint)


def _sniff(text: str) -> Kind:
    """Which frontend a text without a telling name is for."""
    if text.lstrip().startswith("{"):
        return "json"
    if _LAYERS_LINE.search(text) or ("layers" in text and _is_toml_with_layers(text)):
        return "toml"
    return "equations"


def _is_toml_with_layers(text: str) -> bool:
    import tomllib

    try:
        return "layers" in tomllib.loads(text)
    except (ValueError, RecursionError):
        return False
