"""Where a mail server is: its name is looked up once, and what is connected to is the very address that was checked."""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cs_plugin.errors import ConfigurationError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Where there is no mail server: this machine's own cable (and what clouds tell their machines there), everybody, nobody; and what some clouds tell
# elsewhere: Amazon's by IPv6, Alibaba's, Azure's.
_NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "::/128", "fe80::/10", "ff00::/8"),
        *("fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32"),
    )
)
# RFC 6052, section 2.1; and what networks choose for themselves, RFC 8215, where the last bits are the IPv4 address as well.
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")    # RFC 4291, section 2.5.5.1; it holds :: and ::1 too, which are no IPv4 addresses
_PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class DeniedNetworks:
    """Networks in which no mail server is connected to; `private` stands for all that are not of the public internet, this machine included."""

    networks: tuple[Network, ...] = ()
    private: bool = False

    def never(self, address: Address) -> bool:
        """Say whether no setting makes this the address of a mail server."""
        return any(_lies_in(face, _NEVER) for face in _faces(address))

    def deny(self, address: Address) -> bool:
        """Say whether an address is not to be connected to; an IPv4 address is known inside an IPv6 one."""
        faces = list(_faces(address))
        return self.never(address) or any(_lies_in(face, self.networks) or (self.private and not face.is_global) for face in faces)


def denied_networks(configured: object) -> DeniedNetworks:
    """Return what CS_MAIL_DENY_NETWORKS says: networks or the word "private", in a list or in one text with commas. Raise ConfigurationError."""
    expected = 'CS_MAIL_DENY_NETWORKS: expected networks such as "10.0.0.0/8", or the word "private"'
    if configured is None:
        return DeniedNetworks()
    words = configured.split(",") if isinstance(configured, str) else configured
    if not isinstance(words, Iterable):
        raise ConfigurationError(expected)
    texts = [str(word).strip() for word in words]
    try:
        networks = tuple(ipaddress.ip_network(text) for text in texts if text not in (_PRIVATE, ""))
    except ValueError as error:
        raise ConfigurationError(f"{expected}: {error}") from None
    return DeniedNetworks(networks, private=_PRIVATE in texts)


@dataclass(frozen=True, slots=True)
class Place:
    """An address that a name was looked up to: `sockaddr` is what a socket of `family` connects to."""

    family: int
    sockaddr: Any
    address: Address

    @property
    def is_this_machine(self) -> bool:
        """Say whether what goes there leaves no machine."""
        mapped = self.address.ipv4_mapped if isinstance(self.address, ipaddress.IPv6Address) else None
        return (mapped or self.address).is_loopback


def look_up(name: str, port: int, seconds: float) -> list[Place]:
    """Return where a name leads to. Raise OSError or UnicodeError where it leads nowhere, TimeoutError where that is not known in time."""
    answer: queue.SimpleQueue[list[Place] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(_places(name, port))
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that asked
            answer.put(error)

    # The resolver knows no time-out that a caller could set.
    threading.Thread(target=ask, name="cs_plugin-look-up", daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("the name was not looked up in time") from None
    if isinstance(found, Exception):
        raise found
    return found


def _places(name: str, port: int) -> list[Place]:
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    families = (socket.AF_INET, socket.AF_INET6)
    return [Place(family, where, ipaddress.ip_address(str(where[0]).partition("%")[0])) for family, _, _, _, where in found if family in families]


def _faces(address: Address) -> Iterator[Address]:
    """Yield an address and every IPv4 address that it carries: a gateway or the kernel itself leads there."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        carried = [address.ipv4_mapped, address.sixtofour]
        if _lies_in(address, _NAT64) or (address in _COMPATIBLE and int(address) > 1):
            carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        yield from (one for one in carried if one is not None)


def _lies_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)
