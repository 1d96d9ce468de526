"""Signed tags: they lead to their thread and to nothing else."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_plugin.errors import ConfigurationError
from cs_plugin.rules.signing import Signer, TagKind, read_tag

OLD, NEW = "the first key of the store", "the second key of the store"
THREADS = st.integers(min_value=1, max_value=2**63 - 1)
NONCES = st.text(alphabet=string.hexdigits.lower(), min_size=32, max_size=32)
KINDS = st.sampled_from(TagKind)


@given(KINDS, THREADS, NONCES)
def test_a_tag_leads_to_the_thread_it_was_made_for(kind: TagKind, thread_id: int, nonce: str) -> None:
    """What is signed is read back whole, and verified."""
    signer = Signer([OLD])
    tag = read_tag(signer.sign(kind, thread_id, nonce))
    assert tag is not None
    assert tag.thread_id == thread_id
    assert signer.verify(kind, tag, nonce)


@given(KINDS, THREADS, NONCES)
def test_a_tag_survives_an_address(kind: TagKind, thread_id: int, nonce: str) -> None:
    """It is lower-case, has only letters that stand in an address unquoted, leaves room for a mailbox's name, and may come back in capitals."""
    tag = Signer([OLD]).sign(kind, thread_id, nonce)
    assert set(tag) <= set(string.ascii_lowercase + string.digits + "-")
    assert len(f"customerservice+{tag}") <= 64
    assert read_tag(tag.upper()) == read_tag(tag)


@given(THREADS, THREADS, NONCES, NONCES, KINDS, KINDS)
def test_a_tag_opens_nothing_else(thread: int, other: int, nonce: str, revoked: str, kind: TagKind, other_kind: TagKind) -> None:
    """Neither another thread, nor the same one after its nonce was changed, nor another kind of door."""
    signer = Signer([OLD])
    tag = read_tag(signer.sign(kind, thread, nonce))
    assert tag is not None
    moved = read_tag(signer.sign(kind, thread, nonce).replace(f"-{thread}", f"-{other}"))
    assert moved is not None
    assert signer.verify(kind, moved, nonce) == (thread == other)
    assert signer.verify(kind, tag, revoked) == (nonce == revoked)
    assert signer.verify(other_kind, tag, nonce) == (kind is other_kind)


def test_a_key_is_replaced_without_breaking_old_tags() -> None:
    """The first key signs and all verify; a key that was taken away verifies nothing."""
    old = read_tag(Signer([OLD]).sign(TagKind.LINK, 12, "nonce"))
    new = read_tag(Signer([NEW, OLD]).sign(TagKind.LINK, 12, "nonce"))
    assert old is not None
    assert new is not None
    assert new == read_tag(Signer([NEW]).sign(TagKind.LINK, 12, "nonce"))
    assert Signer([NEW, OLD]).verify(TagKind.LINK, old, "nonce")
    assert Signer([NEW, OLD]).verify(TagKind.LINK, new, "nonce")
    assert not Signer([NEW]).verify(TagKind.LINK, old, "nonce")
    assert old.key_id != new.key_id


@given(st.one_of(st.none(), st.text(), st.from_regex(r"[a-z2-7]{26}-[0-9]{1,40}", fullmatch=True)))
def test_garbage_is_no_tag_and_never_raises(text: str | None) -> None:
    """Whatever stands where a tag should is read as nothing, or verifies as nothing; its number fits a database."""
    tag = read_tag(text)
    assert tag is None or tag.thread_id < 2**63
    assert tag is None or not Signer([OLD]).verify(TagKind.LINK, tag, "nonce")


@given(THREADS, st.integers(min_value=0, max_value=26), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_changed_letter_spoils_a_tag(thread_id: int, place: int, letter: str) -> None:
    """No letter of the key id or of the signature can be exchanged."""
    good = Signer([OLD]).sign(TagKind.ADDRESS, thread_id, "nonce")
    changed = good[:place] + letter + good[place + 1 :]
    tag = read_tag(changed)
    assert tag is None or changed == good or not Signer([OLD]).verify(TagKind.ADDRESS, tag, "nonce")


@pytest.mark.parametrize("keys", [[], [""], ["too short"], [OLD, "too short"]])
def test_a_weak_key_stops_the_start(keys: list[str]) -> None:
    """Nobody signs with what can be guessed."""
    with pytest.raises(ConfigurationError, match="CS_SIGNING_KEYS"):
        Signer(keys)
