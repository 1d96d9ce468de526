"""Certificates for servers of tests: good ones, and every kind of bad one. Each is a key and its chain in one piece (PEM)."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers.processes import HOST

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Certificates:
    """What one authority gave, and one that nobody did. `authority` is the file by which the authority is trusted."""

    authority: str
    good: bytes
    expired: bytes
    early: bytes
    for_another_name: bytes
    self_signed: bytes


def make_certificates(folder: Path) -> Certificates:
    """Make them; the authority's file lies in `folder`."""
    ca, now = trustme.CA(), dt.datetime.now(dt.UTC)
    file = folder / "authority.pem"
    ca.cert_pem.write_to_path(file)
    return Certificates(
        authority=str(file),
        good=_whole(ca.issue_cert(HOST)),
        expired=_whole(ca.issue_cert(HOST, not_before=now - 9 * _DAY, not_after=now - _DAY)),
        early=_whole(ca.issue_cert(HOST, not_before=now + _DAY, not_after=now + 9 * _DAY)),
        for_another_name=_whole(ca.issue_cert("mail.elsewhere.example")),
        self_signed=_self_signed(now),
    )


def _whole(leaf: trustme.LeafCert) -> bytes:
    return leaf.private_key_and_cert_chain_pem.bytes()


def _self_signed(now: dt.datetime) -> bytes:
    """Make what a mail server's installation makes: a certificate that nobody but itself vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 9 * _DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    unlocked = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*unlocked) + made.public_bytes(serialization.Encoding.PEM)
