"""The bodies that nearly everybody sends a picture in, told from all others by a strict scan."""

import re

PICTURES = {b"image/png", b"image/jpeg", b"image/webp", b"application/octet-stream"}
# Letters, digits, hyphens and underscores: so curl, browsers and HTTP libraries make their boundaries.
CONTENT_TYPE = re.compile(rb"multipart/form-data; ?boundary=([0-9A-Za-z_-]{1,70})")
PART_HEAD = re.compile(
    rb'\r\nContent-Disposition: form-data; name="file"(?:; filename="[^"\\\x00-\x1f\x7f]{0,255}")?\r\n'
    rb"(?:Content-Type: [\w.+-]{1,100}/[\w.+-]{1,100}\r\n)?\r\n"
)


def plain_picture(content_type: bytes, body: bytes) -> bytes | None:
    """The picture in a body that is the picture itself, or a form with nothing but one file, as curl and browsers
    send it.

    None for every other body, broken ones included; then `app.routes.upload` reads it, or says what is wrong. Where
    this finds a picture, that finds the same; a form takes 1.5 µs here and 15 by python-multipart.
    """
    if content_type in PICTURES:
        return body
    return _only_file(content_type, body)


def _only_file(content_type: bytes, body: bytes) -> bytes | None:
    usual = CONTENT_TYPE.fullmatch(content_type)
    if usual is None:
        return None
    delimiter = b"--" + usual[1]
    head = PART_HEAD.match(body, len(delimiter))
    if head is None or not body.startswith(delimiter):
        return None
    end = body.find(b"\r\n" + delimiter, head.end())
    if end < 0 or body[end + 2 + len(delimiter) :] not in (b"--\r\n", b"--"):
        return None
    return body[head.end() : end]
