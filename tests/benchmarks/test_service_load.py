"""Forms that the benchmarks of a service send are pictures, and none is enrolled twice."""

import io
from email import message_from_bytes

from benchmarks.service_load import enrol_forms, search_forms
from PIL import Image


def read_form(body):
    """Return the fields of a form by name."""
    message = message_from_bytes(b"Content-Type: multipart/form-data; boundary=picture\n\n" + body)
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in message.get_payload()
    }


def test_each_enrolment_has_another_picture_and_ten_have_one_name():
    forms = [read_form(enrol_forms(1000).make(number)) for number in range(100)]
    assert len({form["pictures"] for form in forms}) == 100
    assert {form["identity"] for form in forms} == {b"newcomer %d" % n for n in range(100, 110)}
    later = read_form(enrol_forms(1100).make(0))
    assert later["pictures"] not in {form["pictures"] for form in forms}
    for form in (forms[0], read_form(search_forms().make(0))):
        with Image.open(io.BytesIO(form["pictures"])) as picture:
            assert picture.convert("RGB").size == (64, 128)
