"""What can go wrong with a request, one class each: the status and title are fixed, the detail is said by who raises.

`app.problems` turns them into answers. Nothing here knows HTTP beyond the number of a status.
"""

import re
from typing import ClassVar

STOPPING = "The service is stopping; try again in a second."


class ServiceError(Exception):
    """An error that a client is told about.

    `detail`: one or two sentences that say what was expected and what was received.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    example: ClassVar[str] = "The service failed; its log has the reason under this request's id."
    retry_after_s: int | None = None
    slug: ClassVar[str] = "service-error"

    def __init_subclass__(cls) -> None:
        """`slug`: what the problem's type and the metrics call it, unknown-format for UnknownFormat."""
        cls.slug = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def __init__(self, detail: str = "", retry_after_s: int | None = None) -> None:
        self.detail = detail or self.example
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s
        super().__init__(self.detail)


class BrokenRequest(ServiceError):
    status, title = 400, "Not a request"
    example = "Expected a request as HTTP/1.1 has it; received one that isn't: Invalid method encountered."


class NoKey(ServiceError):
    status, title = 401, "A key is needed"
    example = "Expected a key of this service, as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'; received none."


class NotShared(ServiceError):
    # with pages of other origins, which a browser asks for beforehand
    status, title = 400, "Not shared with other origins"
    example = "Expected GET, HEAD or POST of a listed origin; received PUT of 'https://example.org'."


class BrokenForm(ServiceError):
    status, title = 400, "The form can't be read"
    example = "Expected a complete multipart/form-data body; received one whose last boundary is missing."


class WrongField(ServiceError):
    status, title = 400, "Not the expected form field"
    example = "Expected no multipart field but 'file'; received 'picture'. With curl: -F file=@digit.png"


class TooManyParts(ServiceError):
    status, title = 400, "Too many parts in the form"
    example = "Expected one multipart field named 'file'; received more than 8 parts."


class NoPicture(ServiceError):
    status, title = 400, "No picture in the request"
    example = "Expected a picture as the multipart field 'file' or as the body itself; received an empty body."


class BadQuery(ServiceError):
    status, title = 400, "Bad query"
    example = "Query parameter 'fit': expected 'auto' or 'never'; received 'sometimes'."


class BadTensors(ServiceError):
    # of the two protocols, as the next two are
    status, title = 400, "Not the expected tensors"
    example = "Expected the shape [N, 784] of the input 'pixels'; received [1, 10]."


class UnknownModel(ServiceError):
    status, title = 404, "No such model or version"
    example = "Expected version 2 of the model 'mnist_mlp', which is served; received version 7."


class NotOffered(ServiceError):
    status, title = 501, "Not offered"
    example = "The service loads the newest version in its model folder by itself; it takes no orders to."


class NotFound(ServiceError):
    status, title = 404, "Not found"
    example = "There is nothing at this path. GET /docs lists what there is."


class NoReport(ServiceError):
    status, title = 404, "This model has no report"
    example = "Expected a report of mnist_mlp version 9; it was published without one. GET /model has its figures."


class WrongMethod(ServiceError):
    status, title = 405, "Method not allowed"
    example = "This path takes POST; received GET."


class TooSlow(ServiceError):
    status, title = 408, "The request came too slowly"
    example = "Expected the whole body within 60 seconds; received 512 bytes by then."


class TooManyBytes(ServiceError):
    status, title = 413, "Too many bytes"
    example = "Expected a body of at most 20971520 bytes; received one that declares 31457280."


class TooManyPixels(ServiceError):
    status, title = 413, "Too many pixels"
    example = "Expected a picture of at most 64000000 pixels; received 30000x30000 = 900000000."


class BloatedPicture(ServiceError):
    status, title = 413, "Too many bytes for so few pixels"
    example = "Expected at most 1061120 bytes for a TIFF of 28x28 pixels; received 20000000."


class TooManyPictures(ServiceError):
    status, title = 413, "Too many pictures"
    example = "Expected at most 1024 pictures in one request; received more."


class TooManyDigits(ServiceError):
    status, title = 413, "Too many digits"
    example = "Expected at most 256 digits in one picture; received one with 4096 pieces of ink."


class UnknownFormat(ServiceError):
    status, title = 415, "Not a picture format that is read here"
    example = "Expected a PNG, JPEG, WebP, GIF, BMP, TIFF or HEIC; received 5 bytes that begin with b'hello'."


class EmptyPicture(ServiceError):
    status, title = 422, "The picture is empty"
    example = "Expected the bytes of a picture; received a file of 0 bytes."


class DamagedPicture(ServiceError):
    status, title = 422, "The picture is damaged or cut off"
    example = "Expected a whole PNG; received 200 bytes that can't be decoded: it ends before its end mark."


class BlankPicture(ServiceError):
    status, title = 422, "The picture is blank"
    example = "Expected a picture of a digit; received one without any ink that stands out from its paper."


class RaggedImages(ServiceError):
    status, title = 422, "Not a whole number of images"
    example = "Expected raw images of 28x28 = 784 bytes each; received 1000 bytes."


class WrongSize(ServiceError):
    status, title = 422, "The picture has the wrong size"
    example = "Expected a picture of 28x28 pixels; received one of 640x480."


class CannotExplain(ServiceError):
    # 501: the request is right, and this model has no such function; 422 would blame the picture
    status, title = 501, "This model can't be explained"
    example = (
        "Expected a network of 784, 512 and 10 units with relu and softmax, as this project trains it; "
        "mnist_mlp version 9 is another one. POST /predict answers without reasons."
    )


class OneDigitOnly(ServiceError):
    # 501, as for CannotExplain
    status, title = 501, "This model reads no rows of digits"
    example = "Expected a model that reads digits; fashion_mnist takes pictures as they are: POST /predict."


class NotReady(ServiceError):
    status, title = 503, "Not ready"
    example = "The model is still being loaded; try again in a second."
    retry_after_s = 1


class Overloaded(ServiceError):
    status, title = 503, "Overloaded"
    example = "1024 requests are waiting already; try again in a second."
    retry_after_s = 1
