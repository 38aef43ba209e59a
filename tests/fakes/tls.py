"""Certificates of a throw-away CA."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Authority:
    """A CA; `certificate` is what its clients trust."""

    certificate: Path
    ca: trustme.CA

    def server(self, *, host: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
        """What a server on an IP address needs; one valid for 0 days has expired."""
        until = datetime.now(UTC) + timedelta(days=days)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(host, not_after=until).configure_cert(context)
        return context


def authority(folder: Path) -> Authority:
    """Found a CA, with its certificate in a new folder."""
    folder.mkdir()
    made = Authority(folder / "ca.crt", trustme.CA())
    made.ca.cert_pem.write_to_path(made.certificate)
    return made
