"""The note beside the files: what is in them, how to import them, and who is not in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from preference_center.data.suppression_files.system import System
from preference_center.store.export_queries import ExportFilter


@dataclass
class Counts:
    """How many people were written, and how many were left out because they have no address.

    `erased` are the erased people among those left out, and `of_topic` the people among those
    written who left only the topic of the filter.
    """

    written: int = 0
    left_out: int = 0
    erased: int = 0
    of_topic: int = 0


def note(
    system: System, selected: ExportFilter, files: Mapping[str, int], counts: Counts, at: datetime
) -> str:
    """Return the text of the note. `files` are the numbers of rows."""
    paragraphs = [
        f"Suppressions for {system.title}, made by Preference Center on {at:%Y-%m-%d %H:%M} UTC.",
        *_chosen(selected),
        "\n".join(_table(files)) if files else "There are no suppressions with an address.",
        "How to import them\n\n" + system.steps.strip(),
        "Then look at a few of these people there: they must not get email any more.",
        "Who is not in these files\n\n" + "\n".join(_missing(system, selected.topic, counts)),
        "The files are for programs. Do not open them in a spreadsheet: nothing is escaped, so a\n"
        "text that it takes for a formula would run.",
    ]
    return "\n\n".join(paragraphs)


def _chosen(selected: ExportFilter) -> Iterator[str]:
    filters = {name: value for name, value in vars(selected).items() if value is not None}
    if filters:
        yield "Only: " + ", ".join(f"{name} {value}" for name, value in filters.items()) + "."


def _table(files: Mapping[str, int]) -> Iterator[str]:
    width = max(map(len, files))
    for name, rows in files.items():
        yield f"  {name:<{width}}  {rows:>9,} {'row' if rows == 1 else 'rows'}"


def _missing(system: System, topic: str | None, counts: Counts) -> Iterator[str]:
    yield (
        f"- People whose address is not on record here: {counts.left_out:,}, of whom "
        f"{counts.erased:,} were erased.\n"
        "  If you have a list of addresses, export again with --match LIST.csv: these files then\n"
        "  also have the people among them who are in the list."
    )
    if system.has_topics:
        return
    if topic is None:
        yield (
            "- People who left single topics only. With --topic TOPIC, the files also have those\n"
            f"  who left that topic. {system.title} then takes them for people who left\n"
            "  everything, because these files cannot name a topic."
        )
    else:
        yield (
            f"- People who left other topics than {topic}.\n\n"
            f"People in these files who left only {topic}: {counts.of_topic:,}.\n"
            f"{system.title} takes them for people who left everything, because these files\n"
            "cannot name a topic."
        )
