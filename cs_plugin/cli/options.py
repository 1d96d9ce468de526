"""Commands that show options and change them, for all shops, a group or one shop: what the form in the admin does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, NoReturn

import click

from cs_plugin import i18n
from cs_plugin.cli.group import cs
from cs_plugin.desk import Bench
from cs_plugin.desk.option_authorisations import authorisation_of
from cs_plugin.desk.options import OptionsDraft, save_options, trouble_with_password, wrong_with
from cs_plugin.errors import BadHostAnswerError, InvalidInputError
from cs_plugin.health.secrets import whose
from cs_plugin.rules.options import BY_NAME, OPTIONS, Kind, Option
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import EVERY_GRANT, Actor
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, contexts_of, line_of
from cs_plugin.store.oauth_tokens import ASKED, ENDED, find
from cs_plugin.store.options import OwnOptions, read_own_options
from cs_plugin.web.authorising import give_back
from cs_plugin.web.mounted import mounted

# Whoever may run commands on the store's machine may do anything there.
ADMINISTRATOR = Actor(Employee("", "flask cs"), EVERY_GRANT, via="command")
_SWITCH_WORDS = {"on": True, "yes": True, "true": True, "1": True, "off": False, "no": False, "false": False, "0": False}
_FROM_INPUT = "-"
_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Place:
    """For which context a command was asked, and in which language it shows or changes texts."""

    shop: str | None
    group: str | None
    language: str | None

    def context(self, bench: Bench) -> Context:
        """Return the context. Raise ClickException, with those that there are, for one that there is not."""
        if self.shop is not None and self.group is not None:
            raise click.UsageError("Either --shop or --group.")
        if self.shop is None and self.group is None:
            return ALL_SHOPS
        wanted = Context(Breadth.SHOP, self.shop) if self.shop is not None else Context(Breadth.GROUP, self.group or "")
        known = [one for one in contexts_of(bench.shops) if one.breadth is wanted.breadth]
        if wanted not in known:
            there = (f"{one.id} ({whose(one, bench.shops).partition(' ')[2]})" for one in known)
            _refuse(f"There is no {wanted.breadth} {wanted.id}.", there)
        return wanted

    def languages(self, bench: Bench, option: Option) -> Sequence[str]:
        """Return the languages of an option that were asked for: the default one, unless another was named; an empty one where it has none."""
        codes = [one.code for one in bench.languages]
        if self.language is not None and self.language not in codes:
            _refuse(f"There is no language {self.language}.", codes)
        return [self.language or codes[0]] if option.kind is Kind.TEXT_PER_LANGUAGE else [""]


def of_a_place(command: Callable[..., None]) -> Callable[..., None]:
    """Add the choice of a place to a command."""
    for words in (
        click.option("--language", metavar="CODE", help="For texts: in this language. Without it, in the store's default language."),
        click.option("--group", metavar="ID", help="For this group of shops."),
        click.option("--shop", metavar="ID", help="For this shop. Without --shop and --group, for all shops."),
    ):
        command = words(command)
    return command


@cs.group()
def options() -> None:
    """Show the desk's options, and change them."""


# --- Showing --------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """A value that holds in a place: whether it is its own, inherited or the default, the context that it comes from, and a text's language."""

    name: str
    language: str
    value: Any
    origin: str
    source: str = ""
    spoken: str = ""
    trouble: str = ""

    @property
    def title(self) -> str:
        """Return the option, with its language where it has one."""
        return f"{self.name} ({self.language})" if self.language else self.name

    @property
    def said(self) -> str:
        """Return the value as people write it."""
        if isinstance(self.value, bool):
            return "on" if self.value else "off"
        return "" if self.value is None else str(self.value)

    @property
    def came(self) -> str:
        """Return where the value comes from, as people say it."""
        came = f"inherited from {self.source}" if self.origin == "inherited" else self.origin
        return came if self.spoken in ("", self.language) else f"{came}, in {self.spoken}"


@options.command("list")
@of_a_place
@click.option("--json", "as_json", is_flag=True, help="For programs: a list.")
def list_options(shop: str | None, group: str | None, language: str | None, *, as_json: bool) -> None:
    """List every option, the value that holds, and where it comes from; a password is never shown."""
    held = _look(Place(shop, group, language), OPTIONS)
    if as_json:
        _write_json([asdict(one) for one in held])
        return
    rows = [("OPTION", "VALUE", "ORIGIN"), *((one.title, _cut(one.said), one.came) for one in held)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, came in rows:
        click.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {came}".rstrip())
    _tell_trouble(held)


@options.command()
@click.argument("name")
@of_a_place
@click.option("--json", "as_json", is_flag=True, help="For programs: an object.")
def get(name: str, shop: str | None, group: str | None, language: str | None, *, as_json: bool) -> None:
    """Show the value of an option that holds, and where it comes from: "own", "inherited from group Europe" or "default".

    Of a password it says only whether one is kept.
    """
    held = _look(Place(shop, group, language), [_known(name)])
    if as_json:
        _write_json(asdict(held[0]))
        return
    click.echo(f"{_printable(held[0].said, also=chr(10))}\n{held[0].came}")
    _tell_trouble(held)


def _look(place: Place, wanted: Iterable[Option]) -> list[Held]:
    here = mounted()
    with here.sessions() as session, _answers_of_use():
        bench = here.bench(session)
        context = place.context(bench)
        own = read_own_options(session).seen_from(context, bench.shops)
        held = [_held(bench, own, context, option, language) for option in wanted for language in place.languages(bench, option)]
        return [_with_what_is_of_no_use(bench, own, line_of(context, bench.shops), one) for one in held]


def _held(bench: Bench, own: OwnOptions, context: Context, option: Option, language: str) -> Held:
    line = line_of(context, bench.shops)
    held = Held(option.name, language, i18n.gettext(language, option.default) if language else option.default, "default")
    # A text that nobody has set in a language is the one in the default language; where nobody has set that either, the translated default.
    for spoken in dict.fromkeys((language, bench.languages[0].code if language else "")):
        source = own.origin(line, option.name, spoken)
        if source is not None:
            origin = "own" if source == context else "inherited"
            held = replace(held, value=own.of(source)[option.name, spoken], origin=origin, source=whose(source, bench.shops), spoken=spoken)
            break
    return _without_secret(bench, own, line, held)


def _without_secret(bench: Bench, own: OwnOptions, line: Sequence[Context], held: Held) -> Held:
    if BY_NAME[held.name].kind is not Kind.SECRET:
        return held
    options = own.along(line)
    trouble, found = trouble_with_password(bench.vault, options), authorisation_of(options)
    told = _words(trouble) if trouble else ""
    if found is None:
        return replace(held, value="(kept)" if held.value else "(none)", trouble=told)
    row = find(bench.session, found.token_id)
    state = row.state if row is not None else ENDED
    told = told or {ASKED: "It has not been authorised yet.", ENDED: "The authorisation has ended: authorise again."}.get(state, "")
    return replace(held, value=f"(authorisation of {found.provider})", trouble=told)


def _with_what_is_of_no_use(bench: Bench, own: OwnOptions, line: Sequence[Context], held: Held) -> Held:
    for context, key in own.of_no_use:
        if context in line and key == (held.name, held.language):
            return replace(held, trouble=f"What is kept for {whose(context, bench.shops)} cannot be used: set it anew, or unset it.")
    return held


def _tell_trouble(held: Iterable[Held]) -> None:
    for one in held:
        if one.trouble:
            click.echo(f"{one.name}: {one.trouble}", err=True)


def _cut(text: str) -> str:
    line = _printable(text.replace("\n", "⏎"))
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _printable(text: str, *, also: str = "") -> str:
    """Return text without what drives a terminal."""
    return "".join(character for character in text if character.isprintable() or character in also)


def _write_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


# --- Changing -------------------------------------------------------------------------------------------------------------------------------------


@options.command("set")
@click.argument("words", nargs=-1, required=True, metavar="NAME VALUE | NAME=VALUE …")
@of_a_place
def set_options(words: Sequence[str], shop: str | None, group: str | None, language: str | None) -> None:
    """Give options values of their own: one, as NAME VALUE, or several at once, as NAME=VALUE; all of them, or none where one is wrong.

    A switch is on or off. A password is never written on the command line, where others of the machine could read it: `imap_password` alone asks for
    it, `imap_password -` reads a line of the standard input. A text may be read from there, too: `default_message -`. What makes a mailbox is set
    together: `flask cs options set imap_url=mail.example.com imap_port=993 imap_ssl=on imap_user=desk imap_password`.
    """
    typed = _read_words(words)
    _save(Place(shop, group, language), typed)
    click.echo(f"Saved: {', '.join(typed)}.")


@options.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@of_a_place
def unset(names: Sequence[str], shop: str | None, group: str | None, language: str | None) -> None:
    """Take options' own values away, so that they are inherited again; a text in all languages, unless --language names one."""
    _save(Place(shop, group, language), dict.fromkeys((_known(name).name for name in names), None))
    click.echo(f"Inherited again: {', '.join(dict.fromkeys(names))}.")


def _read_words(words: Sequence[str]) -> dict[str, object]:
    """Return what was typed, by option. Raise ClickException for what is no option, has no value, or is a password that everybody could read."""
    typed: dict[str, object] = {}
    rest = list(words)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        option = _known(name)
        if option.name in typed:
            raise click.UsageError(f"{name} is given twice.")
        if option.kind is Kind.SECRET:
            if equals or (rest and rest[0] != _FROM_INPUT and rest[0].partition("=")[0] not in BY_NAME):
                # What was typed is not repeated: it has stood in enough places.
                message = f"{name} is never written on the command line, where others could read it: write {name} alone to be asked, or {name} -"
                raise click.UsageError(message)
            typed[name] = _read_secret(option, rest)
        elif equals or rest:
            typed[name] = _value(option, value if equals else rest.pop(0))
        else:
            raise click.UsageError(f"{name} has no value: write {name} VALUE, or {name}=VALUE.")
    return typed


def _read_secret(option: Option, rest: list[str]) -> str:
    if rest[:1] != [_FROM_INPUT]:
        return str(click.prompt(option.label, hide_input=True, err=True))
    rest.pop(0)
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise click.ClickException(f"{option.name}: the standard input holds no password.")
    return line


def _value(option: Option, text: str) -> object:
    if option.kind is Kind.SWITCH:
        # What is neither goes on as it is, and is refused with the words that the form has.
        return _SWITCH_WORDS.get(text.strip().lower(), text)
    if option.kind is Kind.TEXT_PER_LANGUAGE and text == _FROM_INPUT:
        return sys.stdin.read().removesuffix("\n")
    return text


def _save(place: Place, typed: Mapping[str, object]) -> None:
    here = mounted()

    def draft(bench: Bench) -> OptionsDraft:
        return OptionsDraft(place.context(bench), dict(_wanted(bench, place, typed)))

    try:
        with _answers_of_use():
            given_up = here.do(lambda bench: save_options(bench, ADMINISTRATOR, draft(bench)))
    except InvalidInputError as error:
        first = error
    else:
        give_back(here, given_up)
        return
    with here.sessions() as session:
        bench = here.bench(session)
        wrong = wrong_with(bench, draft(bench)) or [first]
    for one in wrong:
        click.echo(f"{one.field}: {_words(one)}", err=True)
    raise click.ClickException("Nothing was saved.")


def _wanted(bench: Bench, place: Place, typed: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object] | None]]:
    """Yield each option with its values by language; None, which takes away all of them, where no language was named."""
    for name, value in typed.items():
        languages = place.languages(bench, BY_NAME[name])
        yield name, None if value is None and (place.language is None or languages == [""]) else dict.fromkeys(languages, value)


# --- What is wrong --------------------------------------------------------------------------------------------------------------------------------


def _known(name: str) -> Option:
    if name not in BY_NAME:
        _refuse(f"There is no option {name}.", BY_NAME)
    return BY_NAME[name]


def _refuse(what: str, known: Iterable[str]) -> NoReturn:
    raise click.ClickException(f"{_printable(what)} There are: {_printable(', '.join(known)) or 'none'}.")


def _words(error: InvalidInputError) -> str:
    words = error.message % error.values if error.values else error.message
    option = BY_NAME.get(error.field)
    if option is None or option.kind is not Kind.CHOICE:
        return words
    # A form shows its list beside the field.
    return f"{words} There are: {', '.join(key for key, _label in option.choices)}."


@contextmanager
def _answers_of_use() -> Iterator[None]:
    """Tell an answer of the host that is of no use as an error of the command."""
    try:
        yield
    except BadHostAnswerError as error:
        raise click.ClickException(_printable(str(error))) from error
