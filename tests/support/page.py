"""A page as a visitor sees it: its text, buttons, fields and links.

Every page is also checked: valid HTML5, one heading, a title that repeats it, a language, unique
ids, no broken internal link, a label for each field, no script, nothing from another host.
"""

import re
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import html5lib
from werkzeug.test import TestResponse

BRAND = "Northwind Letters"
FIELDS = ("input", "select", "textarea")


class Page:
    """A page as a visitor sees it. The constructor checks it."""

    ends_title = BRAND

    def __init__(self, response: TestResponse, status: int = 200) -> None:
        assert response.status_code == status, (response.status, response.text[:2000])
        assert response.content_type == "text/html; charset=utf-8"
        self.html = response.text
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        self.root: Element = parser.parse(self.html)
        self._check(status)

    @property
    def lang(self) -> tuple[str | None, str | None]:
        return self.root.get("lang"), self.root.get("dir")

    @property
    def heading(self) -> str:
        return words(self._one("h1"))

    @property
    def title(self) -> str:
        return words(self._one("title"))

    @property
    def main(self) -> Element:
        return self._one("main")

    @property
    def text(self) -> str:
        return words(self._one("main"))

    @property
    def all_text(self) -> str:
        """Return all visible text and all text for screen readers."""
        labels = [each.get("aria-label") or each.get("alt") or "" for each in self.root.iter()]
        return " ".join([words(self._one("body")), *labels])

    @property
    def buttons(self) -> list[str]:
        """Return the texts of all buttons, without their hints."""
        return [_name(button) for button in self.main.iter("button")]

    @property
    def ways_on(self) -> list[str]:
        """Return the texts of the links and buttons of the page's content."""
        main = self.main.iter()
        return [_name(each) for each in main if each.tag in ("a", "button")]

    @property
    def links(self) -> dict[str, str]:
        return {words(each): each.get("href", "") for each in self.root.iter("a")}

    @property
    def wording(self) -> str:
        """Return the digest of the wording in the page's form."""
        (field,) = (each for each in self.root.iter("input") if each.get("name") == "wording")
        return field.get("value", "")

    @property
    def labels(self) -> list[str]:
        """Return the names of all fields."""
        return [self._name(label) for label in self.root.iter("label")]

    @property
    def chosen(self) -> list[str]:
        """Return the names of all checked fields."""
        return [
            self._name(label)
            for label in self.root.iter("label")
            if self._field(label).get("checked") is not None
        ]

    def choose(self, label: str) -> None:
        """Choose one radio button of its group."""
        field = self.field(label)
        for each in self.root.iter("input"):
            if each.get("name") == field.get("name"):
                each.attrib.pop("checked", None)
        field.set("checked", "")

    def tick(self, label: str) -> None:
        """Tick a checkbox that is not disabled."""
        field = self.field(label)
        assert field.get("disabled") is None
        field.set("checked", "")

    def untick(self, label: str) -> None:
        del self.field(label).attrib["checked"]

    def fill_in(self, label: str, text: str) -> None:
        """Replace the text of a field."""
        field = self.field(label)
        if field.tag == "textarea":
            field.text = text
        else:
            field.set("value", text)

    def select(self, name: str, option: str) -> None:
        """Select an option by the name of the field, since several fields may share a label."""
        select = next(each for each in self.root.iter("select") if each.get("name") == name)
        assert option in map(words, select.iter("option"))
        for each in select.iter("option"):
            each.attrib.pop("selected", None)
            if words(each) == option:
                each.set("selected", "")

    def options(self, name: str) -> dict[str, bool]:
        """Return the options of a select field, and whether each is selected."""
        select = next(each for each in self.root.iter("select") if each.get("name") == name)
        return {words(each): each.get("selected") is not None for each in select.iter("option")}

    def field(self, label: str) -> Element:
        """Return the field with a name."""
        for each in self.root.iter("label"):
            if self._name(each) == label:
                return self._field(each)
        raise AssertionError(f"no field {label!r} among {self.labels}")

    def described(self, label: str) -> str:
        """Return the description of a field."""
        ids = self.field(label).get("aria-describedby", "").split()
        return " ".join(words(each) for each in self.root.iter() if each.get("id") in ids)

    def form_of(self, button: str) -> tuple[str, dict[str, list[str]]]:
        """Return the URL and the data that a button posts, with the current field values."""
        for form in self.root.iter("form"):
            outside = [each for each in self.root.iter() if each.get("form") == form.get("id", "")]
            for each in [*form.iter("button"), *outside]:
                if _name(each) == button:
                    data: dict[str, list[str]] = {}
                    for field in [*form.iter(), *outside]:
                        if field.get("name") and (field.tag != "button" or field is each):
                            data.setdefault(str(field.get("name")), []).extend(_sent(field))
                    sent = {name: data[name] for name in data if data[name]}
                    return each.get("formaction") or form.get("action") or "", sent
        raise AssertionError(f"no button {button!r} among {self.buttons}")

    def _name(self, label: Element) -> str:
        """Return the name of a field: `aria-labelledby`, or its label without the hint."""
        field = self._field(label)
        if named := field.get("aria-labelledby"):
            texts = {each.get("id"): words(each) for each in self.root.iter()}
            return " ".join(texts[each] for each in named.split())
        return _name(label)

    def _field(self, label: Element) -> Element:
        """Return the field of a label: the element within it or with its id."""
        inside = [each for each in label.iter() if each.tag in FIELDS]
        named = [each for each in self.root.iter() if each.get("id") == label.get("for")]
        (field,) = inside or named
        assert field.tag in FIELDS
        return field

    def _one(self, tag: str) -> Element:
        (found,) = self.root.iter(tag)
        return found

    def _check(self, status: int) -> None:
        assert self.title.endswith(f"{self.heading} – {self.ends_title}") or not self._ltr
        assert self.lang[0]
        assert not list(self.root.iter("script"))
        ids = [each.get("id") for each in self.root.iter() if each.get("id")]
        assert len(ids) == len(set(ids))
        assert {target[1:] for target in self.links.values() if target[:1] == "#"} <= set(ids)
        for name in ("aria-describedby", "aria-labelledby", "form"):
            referred = (each.get(name, "").split() for each in self.root.iter())
            assert {each for several in referred for each in several} <= set(ids)
        for form in self.root.iter("form"):
            assert form.get("method") == "post"
            if status != 503 and _records_a_wording(form):  # 503 repeats what was posted
                assert [each.get("name") for each in form.iter("input")] == ["wording"]
        labelled = [self._field(label) for label in self.root.iter("label")]
        for each in self.root.iter():
            assert each.tag not in FIELDS or each in labelled or each.get("type") == "hidden"
        for each in self.root.iter():
            assert not {"style", "onclick", "onload"} & set(each.attrib)
            for source in filter(None, map(each.get, ("src", "action", "formaction"))):
                assert not urlsplit(source).netloc
        assert not re.search(r"\bNone\b|Undefined", self.text)

    @property
    def _ltr(self) -> bool:
        return self.root.get("dir") == "ltr"


def _records_a_wording(form: Element) -> bool:
    path = urlsplit(form.get("action", "")).path
    return path.endswith(("/join", "/undo")) and not path.startswith("/console/")


def _sent(field: Element) -> list[str]:
    """Return the values that a browser sends for a field: none if disabled or not checked."""
    if field.get("disabled") is not None:
        return []
    if field.tag == "select":
        options = list(field.iter("option"))
        selected = [each for each in options if each.get("selected") is not None] or options[:1]
        return [each.get("value", "") for each in selected]
    if field.get("type") in {"radio", "checkbox"}:
        return [field.get("value", "on")] if field.get("checked") is not None else []
    value = field.text or "" if field.tag == "textarea" else field.get("value", "")
    return [re.sub(r"\r?\n", "\r\n", value)]


def _name(element: Element) -> str:
    """Return the text of a label or button without its hint."""
    hints = " ".join(words(each) for each in element.iter() if each.get("class") == "hint")
    return words(element).removesuffix(hints).strip()


def words(element: Element) -> str:
    """Return the visible text of an element."""
    return " ".join("".join(element.itertext()).split())
