"""The statuses in words: as people read them, and as "Bulk actions" names them."""

from __future__ import annotations

from collections.abc import Mapping

from cs_plugin.i18n import marked as _
from cs_plugin.rules.status import Status

STATUS_WORDS: Mapping[Status, str] = {
    Status.OPEN: _("Open"),
    Status.CLOSED: _("Closed"),
    Status.PENDING1: _("Pending 1"),
    Status.PENDING2: _("Pending 2"),
}
BULK_WORDS: Mapping[Status, str] = {
    Status.OPEN: _('Mark as "opened"'),
    Status.CLOSED: _('Mark as "closed"'),
    Status.PENDING1: _('Mark as "pending 1"'),
    Status.PENDING2: _('Mark as "pending 2"'),
}
