"""Arrange the predefined messages: whoever changes one may configure every shop that it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.of_shops import is_theirs_to_see, pass_neighbour, shops_after_change, shops_left, too_long, wrong_position, wrong_shops
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line, clean_text
from cs_plugin.rules.permissions import Actor
from cs_plugin.store import predefined
from cs_plugin.store.models import PredefinedMessage

MAX_NAME = 128
MAX_TEXT = 1_200
_LONG_LINE = 10_000   # far beyond every limit, so that what is too long is told and not cut


@dataclass(frozen=True, slots=True)
class PredefinedDraft:
    """A predefined message as somebody wants it. `names` and `texts` stand under language codes; None as `position` is no number."""

    names: Mapping[str, str]
    texts: Mapping[str, str]
    position: int | None
    active: bool
    shop_ids: frozenset[str]

    def cleaned(self) -> PredefinedDraft:
        """Return it as every database can hold it."""
        return replace(
            self,
            names={language: clean_line(name, _LONG_LINE) for language, name in self.names.items()},
            texts={language: clean_text(text).strip() for language, text in self.texts.items()},
        )


def wrong_with(bench: Bench, draft: PredefinedDraft) -> list[InvalidInputError]:
    """Return everything that is wrong with a predefined message; fields are "name-en", "text-en", "position" and "shops"."""
    draft = draft.cleaned()
    return [*_wrong_words(bench, draft), *wrong_position(draft.position), *wrong_shops(bench, draft.shop_ids)]


def _wrong_words(bench: Bench, draft: PredefinedDraft) -> Iterator[InvalidInputError]:
    default = bench.languages[0].code
    if not draft.names.get(default):
        yield InvalidInputError(f"name-{default}", _("The field name is required at least in your default language."))
    if not draft.texts.get(default):
        yield InvalidInputError(f"text-{default}", _("The field message is required at least in your default language."))
    yield from too_long("name", draft.names, MAX_NAME)
    yield from too_long("text", draft.texts, MAX_TEXT)


def save_predefined(bench: Bench, actor: Actor, predefined_id: int | None, draft: PredefinedDraft) -> PredefinedMessage:
    """Make a predefined message (no id), or change one, and return it.

    Raise InvalidInputError for the first field that is wrong, NotFoundError, NotPermittedError where a shop of it, before or after, is not theirs.
    """
    for error in wrong_with(bench, draft):
        raise error
    draft = draft.cleaned()
    message = predefined.new_predefined(bench.session, bench.now) if predefined_id is None else _locked(bench, actor, predefined_id)
    shops = shops_after_change(bench, actor, {shop.shop_id for shop in message.shops}, draft.shop_ids)
    message.active = draft.active
    message.position = draft.position or 0
    for language, name in draft.names.items():
        predefined.write_words(message, language, name=name, text=draft.texts.get(language, ""))
    predefined.write_shops(message, shops)
    bench.session.flush()
    return message


def take_out_predefined(bench: Bench, actor: Actor, predefined_id: int, shop_ids: Collection[str]) -> bool:
    """Take a predefined message out of these shops; where no other shop offers it, it is deleted. Return whether it is gone.

    Raise NotFoundError where it is in none of these shops, NotPermittedError where one of these is not theirs.
    """
    return _take_out(bench, actor, _locked(bench, actor, predefined_id), shop_ids)


def take_out_several(bench: Bench, actor: Actor, predefined_ids: Collection[int], shop_ids: Collection[str]) -> int:
    """Take predefined messages out of these shops and return of how many. Those that are not there, or not theirs, are left out."""
    done = 0
    for message in predefined.lock_predefined(bench.session, predefined_ids).values():
        with suppress(NotFoundError, NotPermittedError):
            _take_out(bench, actor, _theirs(actor, message, message.id), shop_ids)
            done += 1
    return done


def move_predefined(bench: Bench, actor: Actor, predefined_id: int, shown: Collection[int], *, up: bool) -> None:
    """Let a predefined message pass its neighbour among those that are shown.

    Raise NotFoundError, NotPermittedError where a shop of it is not theirs.
    """
    everyone = predefined.lock_predefined(bench.session)
    message = _theirs(actor, everyone.get(predefined_id), predefined_id)
    shops = {shop.shop_id for shop in message.shops}
    shops_after_change(bench, actor, shops, shops)
    pass_neighbour(everyone.values(), shown, predefined_id, up=up)
    bench.session.flush()


def _take_out(bench: Bench, actor: Actor, message: PredefinedMessage, shop_ids: Collection[str]) -> bool:
    left = shops_left(bench, actor, ("predefined message", message.id), {shop.shop_id for shop in message.shops}, shop_ids)
    if left:
        predefined.write_shops(message, left)
        bench.session.flush()
        return False
    predefined.remove_predefined(bench.session, message)
    return True


def _locked(bench: Bench, actor: Actor, predefined_id: int) -> PredefinedMessage:
    return _theirs(actor, predefined.lock_predefined(bench.session, [predefined_id]).get(predefined_id), predefined_id)


def _theirs(actor: Actor, message: PredefinedMessage | None, predefined_id: int) -> PredefinedMessage:
    """Return a message that is there. Raise NotFoundError where it is gone, or where they may configure none of its shops."""
    if message is None or not is_theirs_to_see(actor, {shop.shop_id for shop in message.shops}):
        raise NotFoundError("predefined message", predefined_id)
    return message
