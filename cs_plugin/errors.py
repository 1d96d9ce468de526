"""Every error that the desk raises on purpose, a sentence each; errors carry values, so that a page or a log can say what is wrong."""

from __future__ import annotations


class CustomerServiceError(Exception):
    """Stand at the root of all errors that the desk raises on purpose."""


class NotFoundError(CustomerServiceError):
    """Say that a thing does not exist, or is not this person's to see: both are told alike."""

    def __init__(self, kind: str, identity: object) -> None:
        super().__init__(f"{kind} {identity} was not found")
        self.kind = kind
        self.identity = identity


class NotPermittedError(CustomerServiceError):
    """Refuse a verb to an employee whose grants do not hold the permission in this shop."""

    def __init__(self, permission: str, shop_id: str | None = None) -> None:
        where = f" in shop {shop_id}" if shop_id is not None else ""
        super().__init__(f"the permission {permission!r} is not granted{where}")
        self.permission = permission
        self.shop_id = shop_id


class InvalidInputError(CustomerServiceError):
    """Name the field that is wrong and the sentence to show beside it.

    `message` is an untranslated message id; `values` fill its placeholders after translation.
    """

    def __init__(self, field: str, message: str, **values: object) -> None:
        super().__init__(f"{field}: {message % values if values else message}")
        self.field = field
        self.message = message
        self.values = values


class NewerMessagesError(CustomerServiceError):
    """Hold a reply that was written against a thread which has received messages since."""

    def __init__(self, thread_id: int, newest_message_id: int) -> None:
        super().__init__(f"thread {thread_id} has messages newer than the one that was answered")
        self.thread_id = thread_id
        self.newest_message_id = newest_message_id


class UndeliverableError(CustomerServiceError):
    """Say that a mail server, or the way to it, did not take a mail.

    `permanent` follows the first digit of the reply (RFC 5321, section 4.2.1); `code` is that reply, or None where the connection itself failed.
    """

    def __init__(self, text: str, *, permanent: bool, code: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.permanent = permanent
        self.code = code


class ConfigurationError(CustomerServiceError):
    """Stop the start of an application that is configured wrongly, naming the key and what would be right."""


class KeyLostError(CustomerServiceError):
    """Say that a secret cannot be read: none of CS_ENCRYPTION_KEYS opens it."""

    def __init__(self) -> None:
        super().__init__("a secret cannot be read: none of CS_ENCRYPTION_KEYS opens it")


class SealedElsewhereError(CustomerServiceError):
    """Say that a secret was sealed for another place than the one that it is asked for."""

    def __init__(self, place: str) -> None:
        super().__init__(f"this secret was kept for {place}, and opens nowhere else")
        self.place = place


class HookError(ConfigurationError):
    """Stop the start when a plugin implements a hook that does not exist, or with arguments that the hook does not have."""


class BadHostAnswerError(CustomerServiceError):
    """Name the hook whose answer is not of the type that its documentation asks for."""

    def __init__(self, hook: str, expected: str, answer: object) -> None:
        super().__init__(f"{hook} answered {answer!r}; expected {expected}")
        self.hook = hook
        self.expected = expected
        self.answer = answer


class RefusedQueryError(CustomerServiceError):
    """Say why a query of the SQL manager does not run; `message` is an untranslated sentence, which `values` fill after translation."""

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message % values if values else message)
        self.message = message
        self.values = values
