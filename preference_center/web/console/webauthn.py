"""Passkeys: what is sent to the browser, and what it answers (Web Authentication, Level 3).

Every passkey is discoverable and verifies its user. Attestation is not asked for.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

from fido2 import cbor
from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from preference_center.core.staff.members import Member
from preference_center.core.staff.passkeys import Passkey
from preference_center.settings.settings import Settings

MAX_ID_BYTES = 1023  # of a credential (Web Authentication, Level 3, section 7.1)
_VERIFIED = UserVerificationRequirement.REQUIRED
_NO_MODEL = bytes(16)  # The authenticator's model is not stored.


Value = TypeVar("Value")


class BadResponseError(Exception):
    """The browser's answer is not what a passkey of ours would sign. The message says why."""


def server(settings: Settings) -> Fido2Server:
    """Return the relying party: the host of `CONSOLE_URL`, and exactly its origin."""
    party = PublicKeyCredentialRpEntity(name=settings.brand_name, id=settings.console_host)
    origin = settings.console_url
    return Fido2Server(party, verify_origin=lambda found: found == origin)


def creation_options(
    settings: Settings, member: Member, known: list[Passkey], challenge: bytes
) -> dict[str, Any]:
    """Return the argument of `navigator.credentials.create` for a new passkey, as JSON values."""
    user = PublicKeyCredentialUserEntity(
        name=member.email, id=member.id.bytes, display_name=member.email
    )
    options, _ = server(settings).register_begin(
        user,
        [
            PublicKeyCredentialDescriptor(type=PublicKeyCredentialType.PUBLIC_KEY, id=each.id)
            for each in known
        ],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=_VERIFIED,
        challenge=challenge,
    )
    return dict(options)


def request_options(settings: Settings, challenge: bytes) -> dict[str, Any]:
    """Return the argument of `navigator.credentials.get` to sign in, as JSON values."""
    options, _ = server(settings).authenticate_begin(
        user_verification=_VERIFIED, challenge=challenge
    )
    return dict(options)


def challenge_of(response: Mapping[str, Any], *, creation: bool) -> bytes:
    """Return the challenge that an answer claims to answer, or raise BadResponseError."""
    if creation:
        return _read(
            lambda: RegistrationResponse.from_dict(response).response
        ).client_data.challenge
    return _read(lambda: AuthenticationResponse.from_dict(response).response).client_data.challenge


def created(
    settings: Settings, response: Mapping[str, Any], member: Member, name: str, now: datetime
) -> Passkey:
    """Return the new passkey, or raise BadResponseError."""
    challenge = challenge_of(response, creation=True)
    data = _read(lambda: server(settings).register_complete(_state(challenge), response))
    found = data.credential_data
    if found is None or not 0 < len(found.credential_id) <= MAX_ID_BYTES:
        raise BadResponseError(f"the answer has no credential with up to {MAX_ID_BYTES} bytes")
    key = cbor.encode(dict(found.public_key))
    return Passkey(found.credential_id, member.id, key, data.counter, name, now)


def credential_id(response: Mapping[str, Any]) -> bytes:
    """Return the id of the passkey that answers, or raise BadResponseError."""
    return _read(lambda: AuthenticationResponse.from_dict(response).raw_id)


def signatures(settings: Settings, response: Mapping[str, Any], passkey: Passkey) -> int:
    """Verify an answer, and return how often the passkey has signed, or raise BadResponseError."""
    challenge = challenge_of(response, creation=False)
    key = CoseKey.parse(cast(Mapping[int, Any], cbor.decode(passkey.public_key)))
    known = AttestedCredentialData.create(_NO_MODEL, passkey.id, key)
    answer = _read(lambda: AuthenticationResponse.from_dict(response))
    _read(lambda: server(settings).authenticate_complete(_state(challenge), [known], response))
    user = answer.response.user_handle
    if user is not None and user != passkey.staff_id.bytes:
        raise BadResponseError("the passkey is another member's")
    return answer.response.authenticator_data.counter


def _state(challenge: bytes) -> dict[str, Any]:
    return {"challenge": websafe_encode(challenge), "user_verification": _VERIFIED}


def _read(read: Callable[[], Value]) -> Value:
    """Return what `read` returns. The library raises any of these for what a browser invents."""
    try:
        return read()
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError) as error:
        raise BadResponseError(str(error) or "the answer of the passkey is malformed") from None
