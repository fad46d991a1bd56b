"""What the bytes of a table are: unpacks gzip and zip, and names what is not a table."""

import codecs
import gzip
import io
import re
import zipfile
import zlib
from typing import IO

from shared.errors import BadTrainingData

PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

_LAYERS = 3
"""A server that compresses what it sends compresses a .csv.gz, too. More are not an accident."""

_SAVE_AS_CSV = "save the sheet as CSV (UTF-8)"
_UNPACK = "unpack it, or pack it with gzip or zip"
_NOT_TABLES: tuple[tuple[bytes, str, str], ...] = (
    # Also what Excel writes for an .xlsx with a password.
    (bytes.fromhex("d0cf11e0a1b11ae1"), "an Excel workbook (.xls)", _SAVE_AS_CSV),
    (b"%PDF", "a PDF", "save its table as CSV"),
    (b"BZh", "a bzip2 file", _UNPACK),
    (b"\xfd7zXZ\0", "an xz file", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file", _UNPACK),
    (b"Rar!", "a RAR file", _UNPACK),
    (b"ARROW1", "an Arrow (Feather) file", "save it as Parquet"),
    (b"ORC", "an ORC file", "save it as Parquet"),
    (b"Obj\x01", "an Avro file", "save it as Parquet"),
    (b"\x93NUMPY", "a NumPy file", "save it as Parquet"),
    (b"\x89HDF", "an HDF5 file", "save it as Parquet"),
    (b"SQLite format 3", "an SQLite database", "save its table as CSV"),
    (b"\x80\x04\x95", "a pickle", "save it as Parquet"),
    (b"\x80\x05\x95", "a pickle", "save it as Parquet"),
    (b"\x89PNG", "a picture (PNG)", "save the table as CSV"),
    (b"\xff\xd8\xff", "a picture (JPEG)", "save the table as CSV"),
)
_NOT_CSV: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"<(!doctype html|html|head|body|table)\b", re.I),
        "a web page (HTML)",
        "is it a log-in, or the page around the file?",
    ),
    (re.compile(r"<(\?xml|!doctype|!--|\w+[\s>/])", re.I), "XML", "save the table as CSV"),
    (re.compile(r"""(\{\s*["}]|\[\s*[\[{\]])"""), "JSON", "save the table as CSV"),
)


def unpack(content: bytes, shown: str, most_bytes: int) -> bytes:
    """Return the text of a CSV, or a Parquet file, unpacked to at most `most_bytes`.

    Raises BadTrainingData if it cannot be unpacked, or is known not to be a table.
    """
    layers = 0
    try:
        while content.startswith((_GZIP, *_ZIP)):
            if layers == _LAYERS:
                raise BadTrainingData(
                    f"{shown}: expected a table packed once, found {_LAYERS} layers of gzip or zip"
                )
            layers += 1
            if content.startswith(_GZIP):
                kind = "gzip"
                with gzip.open(io.BytesIO(content)) as packed:
                    content = _bounded(packed, shown, most_bytes)
            else:
                kind = "zip"
                content = _only_table(content, shown, most_bytes)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, ValueError) as error:
        # zipfile has a RuntimeError for a password, and NotImplementedError, a kind of it, for a
        # method that it does not know.
        raise BadTrainingData(
            f"{shown}: begins as a {kind} file and cannot be unpacked: {error}; is it whole?"
        ) from error
    _refuse_known(content, shown)
    return content


def too_large(shown: str, most_bytes: int, how: str = "") -> BadTrainingData:
    """Return the error of a table that is larger than the setting allows."""
    return BadTrainingData(
        f"{shown}: the table is larger than the {most_bytes:,} bytes that "
        f"LIFEBOAT_TRAINING_DATA_MAX_BYTES allows{how}; raise it, or train on fewer rows"
    )


def _bounded(packed: gzip.GzipFile | IO[bytes], shown: str, most_bytes: int) -> bytes:
    # Read until the end, because the checksum is there.
    content = packed.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise too_large(shown, most_bytes, " when unpacked")
    return content


def _only_table(content: bytes, shown: str, most_bytes: int) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        if "[Content_Types].xml" in names:
            raise _not(shown, "an Excel workbook (.xlsx)", _SAVE_AS_CSV)
        if "mimetype" in names:
            raise _not(shown, "an OpenDocument sheet (.ods)", _SAVE_AS_CSV)
        # What macOS adds is not a table.
        tables = [
            name
            for name in names
            if not name.endswith("/")
            and not name.startswith("__MACOSX/")
            and not name.rpartition("/")[2].startswith(".")
        ]
        if len(tables) != 1:
            raise BadTrainingData(
                f"{shown}: expected one table in the zip, found {len(tables) or 'no'} files"
                + "".join(f"{', ' if i else ': '}{name[:40]}" for i, name in enumerate(tables[:5]))
            )
        with archive.open(tables[0]) as packed:
            return _bounded(packed, shown, most_bytes)


def _refuse_known(content: bytes, shown: str) -> None:
    for begins, what, instead in _NOT_TABLES:
        if content.startswith(begins):
            raise _not(shown, what, instead)
    head = content[:1000]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = head.decode("utf-16", errors="ignore")
    else:
        text = head.removeprefix(codecs.BOM_UTF8).decode("latin-1")
    for pattern, what, instead in _NOT_CSV:
        if pattern.match(text.lstrip()):
            raise _not(shown, what, instead)


def _not(shown: str, what: str, instead: str) -> BadTrainingData:
    return BadTrainingData(f"{shown}: expected a CSV or a Parquet table, got {what}; {instead}")
