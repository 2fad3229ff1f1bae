"""The security headers of every response (requirement S1)."""

from preference_center.settings.settings import Settings

_POLICY = (
    "default-src 'none'; style-src {style}; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)
_HSTS = {"host": "max-age=31536000", "subdomains": "max-age=31536000; includeSubDomains"}


def security_headers(settings: Settings, style_source: str) -> dict[str, str]:
    """Return the headers by name; a view may set one of them itself.

    `style_source` allows the style sheet that the pages contain.
    `Strict-Transport-Security` (RFC 6797) is only sent if `public_url` is HTTPS.
    """
    fixed = {
        "Content-Security-Policy": _POLICY.format(style=style_source),
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    if settings.public_url.startswith("https:"):
        fixed["Strict-Transport-Security"] = _HSTS[settings.hsts_scope]
    return fixed
