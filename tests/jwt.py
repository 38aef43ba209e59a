"""Operator, account and user JWTs as `nsc` makes them, for servers in operator mode."""

import base64
import json
import os
import time
from typing import Any

import nkeys

OPERATOR, ACCOUNT, USER = (
    nkeys.PREFIX_BYTE_OPERATOR,
    nkeys.PREFIX_BYTE_ACCOUNT,
    nkeys.PREFIX_BYTE_USER,
)


class Key:
    """A fresh key pair of one kind."""

    def __init__(self, prefix: int) -> None:
        self.seed = nkeys.encode_seed(os.urandom(32), prefix)
        self.public = nkeys.from_seed(self.seed).public_key.decode()

    def sign(self, name: str, subject: str, kind: str, **claims: Any) -> str:
        """A JWT about a subject, issued and signed by this key."""
        body = {
            "jti": base64.b32encode(os.urandom(32)).decode().rstrip("="),
            "iat": int(time.time()),
            "iss": self.public,
            "name": name,
            "sub": subject,
            "nats": {"type": kind, "version": 2, **claims},
        }
        text = ".".join(_encode(json.dumps(part).encode()) for part in (_HEADER, body))
        return f"{text}.{_encode(nkeys.from_seed(self.seed).sign(text.encode()))}"


_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class Operator:
    """An operator with one account that has JetStream."""

    def __init__(self) -> None:
        operator, system, self._account = Key(OPERATOR), Key(ACCOUNT), Key(ACCOUNT)
        unlimited = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn"), -1)
        limits = unlimited | {"leaf": -1, "wildcards": True, "mem_storage": -1, "disk_storage": -1}
        account = operator.sign("A", self._account.public, "account", limits=limits)
        of_system = operator.sign("SYS", system.public, "account", limits=unlimited)
        self.settings = f"""
            operator: {operator.sign("O", operator.public, "operator")}
            system_account: {system.public}
            resolver: MEMORY
            resolver_preload: {{
                {self._account.public}: {account}
                {system.public}: {of_system}
            }}
        """

    def credentials(self) -> str:
        """A credentials file's content for a new user of the account."""
        user = Key(USER)
        limits = {"subs": -1, "data": -1, "payload": -1}
        jwt = self._account.sign("U", user.public, "user", **limits)
        return f"""\
-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
{user.seed.decode()}
------END USER NKEY SEED------
"""
