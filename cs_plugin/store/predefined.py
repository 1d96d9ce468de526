"""Predefined messages: texts that employees choose instead of writing them again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.orm import Session, selectinload

from cs_plugin.store.locking import locking
from cs_plugin.store.models import PredefinedMessage, PredefinedShop, PredefinedText
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.types import can_be_id


@dataclass(frozen=True, slots=True)
class PredefinedWords:
    """A predefined message as it is offered in one language."""

    id: int
    name: str
    text: str


def predefined_words(message: PredefinedMessage, language: str, default_language: str) -> PredefinedWords:
    """Return a predefined message in a language, field by field in the default language where that one is empty, else in any."""
    texts = {text.language: text for text in message.texts}
    tried = [texts[code] for code in (language, default_language, *sorted(texts)) if code in texts]
    name = next((one.name for one in tried if one.name), "")
    text = next((one.text for one in tried if one.text), "")
    return PredefinedWords(message.id, name, text)


def list_predefined(session: Session, shop_ids: Collection[str], language: str, default_language: str) -> list[PredefinedWords]:
    """Return the active predefined messages that are offered in any of these shops, in their order and in one language."""
    return [predefined_words(message, language, default_language) for message in active_predefined(session, shop_ids)]


def active_predefined(session: Session, shop_ids: Collection[str]) -> list[PredefinedMessage]:
    """Return the active predefined messages that are offered in any of these shops, with their words, in their order."""
    query = (
        select(PredefinedMessage)
        .where(PredefinedMessage.active, PredefinedMessage.id.in_(_of_shops(PredefinedShop.shop_id.in_(sorted(shop_ids)))))
        .options(selectinload(PredefinedMessage.texts))
        .order_by(PredefinedMessage.position, PredefinedMessage.id)
    )
    return list(session.scalars(query))


def _of_shops(clause: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(PredefinedShop.predefined_id).where(clause).scalar_subquery()


def predefined_in(session: Session, scope: Scope) -> list[PredefinedMessage]:
    """Return the predefined messages that belong to a shop of the scope, with words and shops, in their order."""
    query = (
        select(PredefinedMessage)
        .options(selectinload(PredefinedMessage.texts), selectinload(PredefinedMessage.shops))
        .order_by(PredefinedMessage.position, PredefinedMessage.id)
    )
    if scope != EVERYTHING:
        query = query.where(PredefinedMessage.id.in_(_of_shops(scope.covers(PredefinedShop.shop_id))))
    return list(session.scalars(query))


def one_predefined_in(session: Session, scope: Scope, predefined_id: int) -> PredefinedMessage | None:
    """Return a predefined message that belongs to a shop of the scope; None for any other."""
    found = session.get(PredefinedMessage, predefined_id) if can_be_id(predefined_id) else None
    if found is None or (scope != EVERYTHING and not any(shop.shop_id in scope for shop in found.shops)):
        return None
    return found


def lock_predefined(session: Session, predefined_ids: Collection[int] | None = None) -> dict[int, PredefinedMessage]:
    """Lock predefined messages (None: all) in the order of their ids and return them as they are now; those that are gone are left out."""
    whole = selectinload(PredefinedMessage.texts), selectinload(PredefinedMessage.shops)
    query = select(PredefinedMessage).options(*whole).order_by(PredefinedMessage.id)
    if predefined_ids is not None:
        query = query.where(PredefinedMessage.id.in_(sorted({one for one in predefined_ids if can_be_id(one)})))
    return {message.id: message for message in session.scalars(locking(session, query))}


def new_predefined(session: Session, now: dt.datetime) -> PredefinedMessage:
    """Add a predefined message."""
    message = PredefinedMessage(created_at=now)
    session.add(message)
    return message


def next_position(session: Session) -> int:
    """Return the place in the order behind all others."""
    last = session.scalar(select(func.max(PredefinedMessage.position)))
    return 0 if last is None else last + 1


def write_words(message: PredefinedMessage, language: str, *, name: str, text: str) -> None:
    """Give a predefined message its words in one language; its words in others stay."""
    words = next((words for words in message.texts if words.language == language), None)
    if words is None:
        if not name and not text:
            return
        words = PredefinedText(language=language)
        message.texts.append(words)
    words.name, words.text = name, text


def write_shops(message: PredefinedMessage, shop_ids: Collection[str]) -> None:
    """Let a predefined message be offered in these shops and no others."""
    kept = [shop for shop in message.shops if shop.shop_id in shop_ids]
    there = {shop.shop_id for shop in kept}
    message.shops = [*kept, *(PredefinedShop(shop_id=shop_id) for shop_id in sorted(shop_ids) if shop_id not in there)]


def remove_predefined(session: Session, message: PredefinedMessage) -> None:
    """Remove a predefined message; what was written with it stays as it is."""
    session.delete(message)
    session.flush()
