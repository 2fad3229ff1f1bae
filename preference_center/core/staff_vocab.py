"""The vocabularies of the console: roles, rights, what the audit trail records, and channels."""

from enum import StrEnum


class Right(StrEnum):
    """What a member of staff may do in the console. Each of its routes needs one."""

    FIGURES = "figures"  # Counts, which name no subscriber.
    PERSON = "person"  # Find one subscriber, read all about them, act for them; complaints.
    LISTS = "lists"  # Lists of subscribers, and changes to all in one.
    TOPICS = "topics"
    WORDING = "wording"  # The texts of pages and emails, the reasons, and the brand.
    IMPORT = "import"
    EXPORT = "export"  # Files of addresses. No role has it: it is granted to a member.
    OPERATE = "operate"  # API keys, webhooks, the outbox, the quarantine and the spool.
    STAFF = "staff"  # Members and the audit trail.


class StaffRole(StrEnum):
    """The role of a member of staff."""

    VIEWER = "viewer"
    SUPPORT = "support"
    MARKETER = "marketer"
    ADMIN = "admin"

    @property
    def rights(self) -> frozenset[Right]:
        """Return the rights of the role."""
        return _RIGHTS[self]


_RIGHTS = {
    StaffRole.VIEWER: frozenset({Right.FIGURES}),
    StaffRole.SUPPORT: frozenset({Right.FIGURES, Right.PERSON}),
    StaffRole.MARKETER: frozenset(
        {Right.FIGURES, Right.PERSON, Right.LISTS, Right.TOPICS, Right.WORDING, Right.IMPORT}
    ),
    StaffRole.ADMIN: frozenset(set(Right) - {Right.EXPORT}),
}


class AuditAction(StrEnum):
    """What the audit trail records. Reading an address is an action, too."""

    INVITED = "invited"
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SESSION_ENDED = "session_ended"
    PASSKEY_ADDED = "passkey_added"
    IDENTITY_BOUND = "identity_bound"
    PASSKEY_REMOVED = "passkey_removed"
    EMAILS_CHOSEN = "emails_chosen"  # Which emails a member wants.
    COMPLAINTS_READ = "complaints_read"
    COMPLAINT_RECORDED = "complaint_recorded"  # Which a subscriber made to staff.
    COMPLAINT_ACKNOWLEDGED = "complaint_acknowledged"
    COMPLAINT_CLOSED = "complaint_closed"
    KEY_CREATED = "key_created"
    KEY_REVOKED = "key_revoked"
    PROCESS_STRUCK_OFF = "process_struck_off"
    QUARANTINE_READ = "quarantine_read"
    QUARANTINE_DELETED = "quarantine_deleted"
    WEBHOOK_ADDED = "webhook_added"
    WEBHOOK_REMOVED = "webhook_removed"
    WEBHOOK_REPLAYED = "webhook_replayed"
    WEBHOOK_KEY_CHANGED = "webhook_key_changed"
    WEBHOOK_TESTED = "webhook_tested"
    ROLE_CHANGED = "role_changed"
    MEMBER_REMOVED = "member_removed"
    EXPORT_STARTED = "export_started"
    EXPORT_SAVED = "export_saved"  # To be written each week to the folder.
    EXPORT_WRITTEN = "export_written"
    EXPORT_STOPPED = "export_stopped"
    IMPORT_UPLOADED = "import_uploaded"
    IMPORT_STARTED = "import_started"
    IMPORT_ENDED = "import_ended"
    JOB_CANCELLED = "job_cancelled"
    FILE_DOWNLOADED = "file_downloaded"
    FILE_DELETED = "file_deleted"
    NOTES_READ = "notes_read"  # What subscribers wrote when they left.
    DAY_NOTED = "day_noted"
    DAY_NOTE_REMOVED = "day_note_removed"
    TOPIC_ADDED = "topic_added"
    TOPIC_DESCRIBED = "topic_described"
    TOPIC_CHANGED = "topic_changed"
    TOPIC_MOVED = "topic_moved"
    TOPIC_DELETED = "topic_deleted"
    TEXT_DRAFTED = "text_drafted"
    TEXT_PUBLISHED = "text_published"
    TEST_SENT = "test_sent"  # An email with the drafts, to the member.
    BRAND_DRAFTED = "brand_drafted"
    BRAND_PUBLISHED = "brand_published"
    REASONS_CHANGED = "reasons_changed"
    PERSON_READ = "person_read"  # Also one of whom nothing is on record.
    PERSON_EXPORTED = "person_exported"
    PERSON_UNSUBSCRIBED = "person_unsubscribed"
    PERSON_ADJUSTED = "person_adjusted"  # The frequency or the pause of a topic.
    PERSON_ASKED = "person_asked"  # A link that starts a topic was emailed.
    PERSON_ERASED = "person_erased"
    PERSON_CORRECTED = "person_corrected"  # A change that a member made by mistake was undone.
    PERSON_LINKED = "person_linked"  # An address was corrected.
    LIST_READ = "list_read"
    LIST_PREVIEWED = "list_previewed"
    LIST_STARTED = "list_started"
    LIST_UNDONE = "list_undone"

    @property
    def reads(self) -> bool:
        """Return True if data about a subscriber were read and not changed."""
        return self in _READING


# Pages with data of several people.
OF_PAGES = (AuditAction.COMPLAINTS_READ, AuditAction.NOTES_READ, AuditAction.LIST_READ)
_READING = (AuditAction.PERSON_READ, AuditAction.PERSON_EXPORTED, *OF_PAGES)


class Channel(StrEnum):
    """How a subscriber asked staff for a change."""

    PHONE = "phone"
    LETTER = "letter"
    EMAIL = "email"
    IN_PERSON = "in person"


class ReasonMove(StrEnum):
    """A change to the reasons that pages offer: to the order, or to one of them."""

    UP = "up"
    DOWN = "down"
    HIDE = "hide"
    SHOW = "show"


class TextEdit(StrEnum):
    """A change to a text, or to a part of the brand, that has a draft or earlier versions."""

    DISCARD = "discard"  # the draft
    PUBLISH = "publish"  # the draft
    RESTORE = "restore"  # an earlier version, or what is standard


class JobKind(StrEnum):
    """What a job of the console does. A preview becomes an import when a member starts it."""

    EXPORT = "export"
    PREVIEW = "preview"
    IMPORT = "import"


class JobState(StrEnum):
    """How far a job is. A worker leases it, and settles it in one of the last three."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = (JobState.WAITING, JobState.RUNNING)


class JobFile(StrEnum):
    """A file of a job."""

    UPLOAD = "upload"  # what is imported
    OUTPUT = "output"  # the export, or the refused rows of an import
    REPORT = "report"  # JSON: what the page says about the job


class Standing(StrEnum):
    """By what a list of people is filtered: how they stand to a topic, or to all of them."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"  # From the topic or from everything.
    UNCONFIRMED = "unconfirmed"
    SUPPRESSED = "suppressed"  # No email may be sent to the address.


class ListState(StrEnum):
    """How far the change to a frozen list is."""

    COUNTING = "counting"  # whom it would change
    PREVIEWED = "previewed"
    RUNNING = "running"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"

    @property
    def is_working(self) -> bool:
        """Return True while there are further steps."""
        return self in (ListState.COUNTING, ListState.RUNNING, ListState.UNDOING)
