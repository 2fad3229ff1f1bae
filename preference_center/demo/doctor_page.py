"""The demo's doctor page: it judges an example or a pasted message, and stores nothing."""

from flask import abort, request

from preference_center.demo import examples
from preference_center.doctor.check import check_message
from preference_center.doctor.report import CHECKS
from preference_center.web.bodies import read_body
from preference_center.web.services import Services

MAX_PASTE_BYTES = 1024 * 1024
_FORM_OVERHEAD = 1024  # Bytes that a form with one field adds.


def values(app: Services) -> dict[str, object]:
    """Return the values of the page: a message, and the report on it."""
    example = "" if request.method == "POST" else request.args.get("example", examples.GOOD)
    if example and example not in examples.NAMES:
        abort(404)
    if example:
        raw = examples.message(example, app.settings, app.languages, app.clock())
        pasted = raw.decode("utf-8", "replace")
    else:
        request.max_form_memory_size = MAX_PASTE_BYTES + _FORM_OVERHEAD
        read_body(MAX_PASTE_BYTES + _FORM_OVERHEAD)
        pasted = request.form.get("message", "")
        raw = pasted.encode("utf-8", "replace")
    installation = examples.installation(app.settings, pasted)
    report = check_message(raw, installation, examples.Keys().find).report
    return {"pasted": pasted, "report": report, "checks": CHECKS, "example": example}
