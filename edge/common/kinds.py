"""Identify a file by its first bytes, whatever its name: a picture or video that is read, or a kind with advice."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# As many bytes as every pattern below needs.
PROBE_BYTES = 1024

TO_PNG = "Save it as PNG or JPEG."
TO_FRAMES = "`edge-mnist run FILE` reads a video; `ffmpeg -i FILE -f image2pipe -c:v png -` converts it to pictures."
TO_STREAM = "`edge-mnist live --camera http://...` reads it directly from the camera."
INSPECT = "`edge-mnist inspect FILE` shows what it holds."
FETCH = "It is not the file itself: download that file."
TO_KERAS = (
    "In the program that made it, `model.save('model.keras')` with Keras 3 writes a file that `edge-mnist "
    "export` reads."
)


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: Name for people, with its article.
        holds: What can be read from it; `unread` is a picture or video to people but is not read, `other` is anything
            else.
        cure: Advice if it is not what is needed.
    """

    name: str
    holds: Literal["picture", "video", "unread", "other"]
    advice: str = ""


def _brands(names: str) -> bytes:
    """Make the beginning of files in ISO's base format. Source: ISO/IEC 14496-12, 4.3."""
    return rb".{4}ftyp(?:" + names.encode() + rb")"


JPEG = Kind("a JPEG picture", "picture")
KERAS = Kind("a Keras model", "other", "`edge-mnist export FILE` makes a bundle from it.")
TFLITE, ONNX = Kind("a TFLite model", "other", INSPECT), Kind("an ONNX model", "other", INSPECT)
LFS = Kind("a Git LFS pointer", "other", "`git lfs pull` fetches the file itself.")
ZIP = Kind("an archive or a compressed file", "other", "Unpack it first.")
HEIC = Kind("a HEIC picture", "picture")
# The first match wins; specific before general. Sources: each format's specification, and the IANA media types.
KINDS: tuple[tuple[bytes, Kind], ...] = (
    (rb"\x89PNG", Kind("a PNG picture", "picture")),
    (rb"\xff\xd8\xff", JPEG),
    (rb"GIF8[79]a", Kind("a GIF picture", "picture")),
    (rb"RIFF.{4}WEBP", Kind("a WebP picture", "picture")),
    (rb"BM.{12}[\x0c-\x7c]\0\0\0", Kind("a BMP picture", "picture")),
    (rb"P[1-7fF][\s#]", Kind("a PNM picture", "picture")),
    (rb"FUJIFILMCCD-RAW|II[*]\0.{4}CR|IIRO|IIU\0", Kind("a camera's raw picture", "unread", TO_PNG)),
    (rb"II[*+]\0|MM\0[*+]", Kind("a TIFF picture", "picture")),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", Kind("a JPEG 2000 picture", "picture")),
    (_brands("avi[fs]"), Kind("an AVIF picture", "picture")),
    (_brands("hei[cmsx]|hev[cmsx]|mif1|msf1"), HEIC),
    (_brands("crx "), Kind("a camera's raw picture", "unread", TO_PNG)),
    (_brands("M4A |M4B |mp3"), Kind("a sound file", "other")),
    (rb".{4}(?:ftyp|moov|mdat|wide)", Kind("an MP4 or QuickTime video", "video", TO_FRAMES)),
    (rb"\x1aE\xdf\xa3", Kind("a Matroska or WebM video", "video", TO_FRAMES)),
    (rb"RIFF.{4}AVI ", Kind("an AVI video", "video", TO_FRAMES)),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind("a Windows Media video", "video", TO_FRAMES)),
    (rb"OggS", Kind("an Ogg video", "video", TO_FRAMES)),
    (rb"FLV\x01", Kind("a Flash video", "video", TO_FRAMES)),
    (rb"(?:.{4})?G.{187}(?:.{4})?G.{187}", Kind("an MPEG transport stream", "video", TO_FRAMES)),
    (rb"\0\0\x01[\xba\xb3]", Kind("an MPEG video", "video", TO_FRAMES)),
    (rb"\0?\0\0\x01[\x06\x09\x27\x47\x67]", Kind("a raw H.264 video", "video", TO_FRAMES)),
    (rb"\0?\0\0\x01[\x40\x42\x44\x46]\x01", Kind("a raw H.265 video", "video", TO_FRAMES)),
    (rb"DKIF", Kind("an IVF video", "video", TO_FRAMES)),
    (rb"YUV4MPEG2 ", Kind("a YUV4MPEG video", "video", TO_FRAMES)),
    (rb"(?i)(?:\r\n)?--[^\r\n]{1,100}\r?\n(?:[\w-]+:[^\n]*\n)*content-type: *image/", Kind(
        "a multipart stream of pictures, as cameras send it over HTTP", "video", TO_STREAM)),
    (rb"HTTP/[12]", Kind("an HTTP response with its headers", "other", FETCH)),
    (rb"%PDF", Kind("a PDF document", "unread", "Save its pages as pictures: `pdftoppm -png -r 150 FILE page`.")),
    (rb"%!PS|\xc5\xd0\xd3\xc6", Kind("a PostScript document", "unread", TO_PNG)),
    (rb"AT&TFORM.{4}DJV", Kind("a DjVu document", "unread", TO_PNG)),
    (rb"8BPS", Kind("a Photoshop picture", "unread", TO_PNG)),
    (rb"gimp xcf", Kind("a GIMP picture", "unread", TO_PNG)),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", Kind("a JPEG XL picture", "unread", TO_PNG)),
    (rb"II\xbc\x01|WMPHOTO", Kind("a JPEG XR picture", "unread", TO_PNG)),
    (rb"\0\0\x01\0[^\0]\0", Kind("an icon", "unread", TO_PNG)),
    (rb"v/1\x01|#\?RADIANCE|#\?RGBE", Kind("a picture of high dynamic range", "unread", TO_PNG)),
    (rb"DDS ", Kind("a DDS texture", "unread", TO_PNG)),
    (rb".{128}DICM", Kind("a DICOM picture", "unread", TO_PNG)),
    (rb"SIMPLE  =", Kind("a FITS picture", "unread", TO_PNG)),
    (rb"\x93NUMPY", Kind("a NumPy array", "unread", "Save it with `PIL.Image.fromarray(array).save('page.png')`.")),
    (rb"\0\0\x08[\x01\x03]", Kind("an MNIST idx file", "unread", "Save its images as PNG.")),
    (rb"(?is)(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*|<!--.{0,400}?-->\s*|<!doctype svg[^>]*>\s*)*<svg", Kind(
        "an SVG drawing", "unread", TO_PNG)),
    (rb"(?is)(?:\xef\xbb\xbf)?\s*(?:<!--.{0,400}?-->\s*)*<(?:!doctype html|html|head|body)", Kind(
        "an HTML page", "other", "Most likely a server sent an error or a login page: download the file itself.")),
    (rb"version https://git-lfs", LFS),
    (rb"(?:\xef\xbb\xbf)?\s*[{\[]\s*[\"{\[\]}]", Kind("a JSON document", "other", FETCH)),
    (rb"data:image/", Kind("a data URL", "other", "Decode the part after `base64,`.")),
    (rb"PK\x03\x04.{26}(?:metadata\.json|config\.json|model\.weights\.h5)", KERAS),
    (rb"PK\x03\x04.{26}[^/\0]{1,200}/(?:data\.pkl|byteorder|constants\.pkl|\.format_version|\.data/)", Kind(
        "a PyTorch file", "other", "In the program that made it, `torch.onnx.export` writes an ONNX file.")),
    (rb"PK\x03\x04.{26}[^\0]{1,200}?\.npy", Kind("NumPy arrays", "other", "It holds weights without a network.")),
    (rb"PK\x03\x04|PK\x05\x06|\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd|.{257}ustar", ZIP),
    (rb"ID3|fLaC|RIFF.{4}WAVE|\xff[\xfb\xf3]", Kind("a sound file", "other")),
    (rb".{4}TFL3", TFLITE),
    (rb"\x89HDF", Kind("an HDF5 file, as Keras wrote its models before .keras", "other", TO_KERAS)),
    (rb"\x08[\x01-\x20][\x12\x1a\x22\x2a\x3aB]", ONNX),
    (rb".{4}\0{4}\s*\{\s*\"", Kind("a safetensors file", "other", "It holds weights without a network.")),
    (rb"\x80[\x02-\x05][\x8a\x95}\]c(KMX\x8c]", Kind(
        "a Python pickle, as PyTorch writes it", "other", "Loading it could run code, so it is never loaded.")),
    (rb"\0{512}", Kind("only zeros, like a file whose writing was interrupted", "other", "Download or take it again.")),
)  # fmt: skip
PATTERNS = tuple((re.compile(pattern, re.DOTALL), kind) for pattern, kind in KINDS)
TEXT = Kind("a text", "other", FETCH)
UNKNOWN = Kind("of an unknown kind", "other")


def identify_kind(beginning: bytes) -> Kind:
    """Identify a file by its beginning; PROBE_BYTES are enough."""
    beginning = beginning[:PROBE_BYTES]
    for pattern, kind in PATTERNS:
        if pattern.match(beginning):
            return kind
    is_text = beginning and not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", beginning) and _is_utf8(beginning)
    return TEXT if is_text else UNKNOWN


def describe_mistake(beginning: bytes) -> str:
    """Describe what arrived instead of the expected and what to do: `got a Git LFS pointer. `git lfs pull` ...`."""
    if not beginning:
        return "got an empty file. Copy or download it again."
    kind = identify_kind(beginning)
    return f"got {'a file ' if kind is UNKNOWN else ''}{kind.name}. {kind.advice}".rstrip()


def explain_pointer(content: bytes) -> str:
    """Return a sentence to append if a file is only a pointer to a file in Git LFS; else an empty text."""
    return f" It is {LFS.name}: {LFS.advice}" if identify_kind(content) is LFS else ""


def identify_file(path: Path) -> Kind:
    """Identify a regular file. A pipe or device is of an unknown kind: reading would consume its bytes.

    Raises:
        OSError: The file cannot be read.
    """
    if not path.is_file():
        return UNKNOWN
    with path.open("rb") as file:
        return identify_kind(file.read(PROBE_BYTES))


def _is_utf8(beginning: bytes) -> bool:
    """Whether it is UTF-8 text; a character may be cut at the end."""
    try:
        beginning.decode()
    except UnicodeDecodeError as error:
        return error.start > len(beginning) - 4 and len(beginning) == PROBE_BYTES
    return True
