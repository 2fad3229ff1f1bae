"""What each mail client sends when a reader presses its unsubscribe button (M10).

Taken from the source of the client, named beside it, and of its HTTP library; "captured" means that
the library was run and its request recorded. Versions in user agents are examples. The
requests of Proton and Yahoo are not public: they are assumed to be exactly those of RFC 8058.
"""

from dataclasses import dataclass

from tests.support import make
from tests.support.wire import END, HOST, RFC, chunk

# The header of our emails, which some clients send unchanged.
HEADER = make.minter().mint("ada@example.org", "weekly-news", "2026-47").list_unsubscribe_post
VERBATIM = HEADER.encode()
PARTS = (
    b'--x8058\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
    b"One-Click\r\n--x8058--\r\n"
)
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101"
PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9"


@dataclass(frozen=True)
class Client:
    """A client's request, and its timeout in seconds."""

    request: bytes
    timeout: float

    def request_to(self, path: str) -> bytes:
        """Return the request for one link."""
        return self.request.replace(b" PATH ", f" {path} ".encode(), 1)


def client(lines: str, body: bytes = b"", timeout: float = 30) -> Client:
    """Return a client that sends `lines`, without their indentation, and then `body`."""
    head = "\r\n".join(line.strip() for line in lines.strip().splitlines())
    return Client(f"{head}\r\n\r\n".encode() + body, timeout)


# Each accepts any 2xx as success, FairEmail any status below 300, Amunak's add-on any answer.
POSTING = {
    # support.google.com/a/answer/81126
    "Gmail": client(
        f"""
        POST PATH HTTP/1.1
        Host: {HOST}
        Content-Type: application/x-www-form-urlencoded
        Content-Length: 26
        """,
        RFC,
    ),
    # nextcloud/mail lib/Controller/ListController.php, nextcloud/server
    # lib/private/Http/Client/Client.php, guzzle/guzzle src/Handler/CurlFactory.php; captured from
    # curl. It follows redirects, and uses GET after 301 or 302.
    "Nextcloud Mail": client(
        f"""
        POST PATH HTTP/1.1
        Host: {HOST}
        User-Agent: Nextcloud-Server-Crawler/31.0.5
        Accept-Encoding: gzip
        Content-Type: application/x-www-form-urlencoded
        Content-Length: 26
        """,
        RFC,
    ),
    # M66B/FairEmail app/src/main/java/eu/faircode/email/FragmentDialogUnsubscribe.java, over
    # Android's HttpsURLConnection. It posts again to the target of a redirect.
    "FairEmail": client(
        f"""
        POST PATH HTTP/1.1
        User-Agent: Mozilla/5.0 (Linux; Android 14; wv) {CHROME} Mobile Safari/537.36
        Content-Length: 26
        Content-Type: application/x-www-form-urlencoded
        Host: {HOST}
        Connection: Keep-Alive
        Accept-Encoding: gzip
        """,
        RFC,
        timeout=20,
    ),
    # Foundry376/Mailspring app/internal_packages/list-unsubscribe/lib/unsubscribe-service.ts;
    # captured from Chromium. `redirect: error`. Its page can read any answer, without CORS:
    # electron/electron shell/browser/electron_browser_client.cc.
    "Mailspring": client(
        f"""
        POST PATH HTTP/1.1
        Host: {HOST}
        Connection: keep-alive
        Content-Length: 26
        sec-ch-ua-platform: "Linux"
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) {CHROME} Electron/39.2.0 Safari/537.36
        sec-ch-ua: "Not_A Brand";v="99", "Chromium";v="142"
        Content-Type: application/x-www-form-urlencoded
        sec-ch-ua-mobile: ?0
        Accept: */*
        Origin: file://
        Sec-Fetch-Site: cross-site
        Sec-Fetch-Mode: cors
        Sec-Fetch-Dest: empty
        Accept-Encoding: gzip, deflate, br, zstd
        Accept-Language: en-US
        """,
        RFC,
    ),
    # Amunak/thunderbird-list-unsubscribe-addon popup.js: a body without the form's content type
    "Amunak's add-on": client(
        f"""
        POST PATH HTTP/1.1
        Host: {HOST}
        User-Agent: {FIREFOX} Thunderbird/144.0
        Accept: */*
        Accept-Language: en-US,en;q=0.5
        Accept-Encoding: gzip, deflate, br, zstd
        Content-Type: text/plain;charset=UTF-8
        Content-Length: {len(VERBATIM)}
        Origin: moz-extension://5c1f3f0a-1d0e-4b6e-9a41-2f6d6c0d8d3b
        Connection: keep-alive
        Sec-Fetch-Dest: empty
        Sec-Fetch-Mode: cors
        Sec-Fetch-Site: same-origin
        Priority: u=4
        """,
        VERBATIM,
    ),
    # the same, since its pull request 9
    "Amunak's current add-on": client(
        f"""
        POST PATH HTTP/1.1
        Host: {HOST}
        User-Agent: {FIREFOX} Thunderbird/144.0
        Accept: */*
        Accept-Language: en-US,en;q=0.5
        Accept-Encoding: gzip, deflate, br, zstd
        Content-Type: application/x-www-form-urlencoded
        Content-Length: {len(VERBATIM)}
        Origin: moz-extension://5c1f3f0a-1d0e-4b6e-9a41-2f6d6c0d8d3b
        Connection: keep-alive
        Sec-Fetch-Dest: empty
        Sec-Fetch-Mode: cors
        Sec-Fetch-Site: same-origin
        Priority: u=4
        """,
        VERBATIM,
    ),
    # tutao/tutanota src/common/desktop/DesktopCommonSystemFacade.ts, over node:https; captured
    "Tuta for the desktop": client(
        f"""
        POST PATH HTTP/1.1
        Host: {HOST}
        Connection: keep-alive
        Transfer-Encoding: chunked
        """,
        chunk(RFC) + END,
    ),
    # tutao/tutanota app-android/…/AndroidCommonSystemFacade.kt, square/okhttp
    # okhttp/src/main/kotlin/okhttp3/internal/http/BridgeInterceptor.kt
    "Tuta for Android": client(
        f"""
        POST PATH HTTP/1.1
        Content-Length: 26
        Host: {HOST}
        Connection: Keep-Alive
        Accept-Encoding: gzip
        User-Agent: okhttp/4.12.0
        """,
        RFC,
        timeout=5,
    ),
    # tutao/tutanota app-ios/…/IosCommonSystemFacade.swift; the headers that URLSession adds are
    # from published logs
    "Tuta for iOS": client(
        f"""
        POST PATH HTTP/1.1
        Host: {HOST}
        Content-Type: text/plain
        Connection: keep-alive
        Accept: */*
        User-Agent: tutanota/1 CFNetwork/1568.300.101 Darwin/24.2.0
        Content-Length: 26
        Accept-Language: en-GB,en;q=0.9
        Accept-Encoding: gzip, deflate, br
        """,
        RFC,
        timeout=60,
    ),
    # bkaankose/Wino-Mail Wino.Services/UnsubscriptionService.cs, dotnet/runtime
    # src/libraries/System.Net.Http/src/System/Net/Http/SocketsHttpHandler/HttpConnection.cs
    "Wino": client(
        f"""
        POST PATH HTTP/1.1
        Host: {HOST}
        Content-Type: application/x-www-form-urlencoded; charset=utf-8
        Content-Length: 26
        """,
        RFC,
        timeout=100,
    ),
    # from its servers, not from the reader's machine: Notifuse/notifuse issue 136
    "Proton": client(
        f"""
        POST PATH HTTP/1.1
        Host: {HOST}
        Connection: close
        Content-Type: application/x-www-form-urlencoded
        Content-Length: 26
        """,
        RFC,
    ),
    # senders.yahooinc.com requires RFC 8058, without details
    "Yahoo": client(
        f"""
        POST PATH HTTP/1.1
        Host: {HOST}
        Connection: keep-alive
        Content-Type: application/x-www-form-urlencoded
        Content-Length: 26
        """,
        RFC,
    ),
    # RFC 8058, section 3.2: the form may also be multipart/form-data
    "a multipart client": client(
        f"""
        POST PATH HTTP/1.1
        Host: {HOST}
        Content-Type: multipart/form-data; boundary=x8058
        Content-Length: {len(PARTS)}
        """,
        PARTS,
    ),
}

# These do not support one-click: they open the link in the reader's browser.
OPENING = {
    # thunderbird/thunderbird-android
    # legacy/ui/legacy/src/main/java/com/fsck/k9/ui/messageview/MessageViewFragment.kt
    "Thunderbird for Android": client(
        f"""
        GET PATH HTTP/1.1
        Host: {HOST}
        Connection: keep-alive
        sec-ch-ua: "Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"
        sec-ch-ua-mobile: ?1
        sec-ch-ua-platform: "Android"
        Upgrade-Insecure-Requests: 1
        User-Agent: Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36
        Accept: {PAGE},image/avif,image/webp,image/apng,*/*;q=0.8
        Sec-Fetch-Site: none
        Sec-Fetch-Mode: navigate
        Sec-Fetch-User: ?1
        Sec-Fetch-Dest: document
        Accept-Encoding: gzip, deflate, br, zstd
        Accept-Language: en-US,en;q=0.9
        """
    ),
    # the-djmaze/snappymail snappymail/v/0.0.0/app/templates/Views/User/MailMessageView.html: the
    # first URI of the header, in a new tab
    "SnappyMail": client(
        f"""
        GET PATH HTTP/1.1
        Host: {HOST}
        User-Agent: {FIREFOX} Firefox/144.0
        Accept: {PAGE},*/*;q=0.8
        Accept-Language: en-US,en;q=0.5
        Accept-Encoding: gzip, deflate, br, zstd
        Connection: keep-alive
        Upgrade-Insecure-Requests: 1
        Sec-Fetch-Dest: document
        Sec-Fetch-Mode: navigate
        Sec-Fetch-Site: cross-site
        Sec-Fetch-User: ?1
        Priority: u=0, i
        """
    ),
    # cypht-org/cypht modules/imap/functions.php, format_list_headers
    "Cypht": client(
        f"""
        GET PATH HTTP/1.1
        Host: {HOST}
        Connection: keep-alive
        sec-ch-ua: "Chromium";v="142", "Not_A Brand";v="99"
        sec-ch-ua-mobile: ?0
        sec-ch-ua-platform: "Linux"
        Upgrade-Insecure-Requests: 1
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36
        Accept: {PAGE},image/avif,image/webp,image/apng,*/*;q=0.8
        Sec-Fetch-Site: cross-site
        Sec-Fetch-Mode: navigate
        Sec-Fetch-User: ?1
        Sec-Fetch-Dest: document
        Referer: https://webmail.example.org/
        Accept-Encoding: gzip, deflate, br, zstd
        Accept-Language: en-US,en;q=0.9
        """
    ),
    # Alinto/sogo, which shows the link of the header like any other link of the email
    "SOGo": client(
        f"""
        GET PATH HTTP/1.1
        Host: {HOST}
        User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0
        Accept: {PAGE},image/avif,image/webp,*/*;q=0.8
        Accept-Language: en-GB,en;q=0.5
        Accept-Encoding: gzip, deflate, br, zstd
        Referer: https://sogo.example.org/
        Connection: keep-alive
        Upgrade-Insecure-Requests: 1
        Sec-Fetch-Dest: document
        Sec-Fetch-Mode: navigate
        Sec-Fetch-Site: cross-site
        Sec-Fetch-User: ?1
        """
    ),
}
