"""How a Dovecot 2.3 is configured that listens on loopback alone: for tests, and for trying the desk out. One password is everybody's."""

from __future__ import annotations

import getpass
import grp
import os
from pathlib import Path

HOST = "127.0.0.1"
CONFIGURATION = """
base_dir = {folder}/base
state_dir = {folder}/state
log_path = {folder}/{log}
login_greeting = {greeting}
listen = {host}
protocols = imap pop3
{tls}
disable_plaintext_auth = no
{more}

# The slowness that keeps guessers away, and the limit for one customer: all tests come from one address.
auth_failure_delay = 0
mail_max_userip_connections = 1000

passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/refused
  deny = yes
}}
passdb {{
  driver = static
  mechanisms = plain login
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={mail_user} gid={mail_group} home={folder}/mail/%u
}}
mail_location = maildir:{folder}/mail/%u/Maildir
first_valid_uid = 1
first_valid_gid = 1

default_internal_user = {internal_user}
default_internal_group = {internal_group}
default_login_user = {login_user}

service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3s_port}
    ssl = yes
  }}
}}
"""


# Where certificates come from: a file with a key and its chain (PEM).
TLS = """
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{certificate}
"""



def configuration(folder: Path, ports: tuple[int, int, int, int], *, password: str, log: str, certificate: Path | None = None, more: str = "") -> str:
    """Return the configuration of a server whose data is in `folder`; `ports` are those of IMAP, POP3, and both over TLS, 0 for none;
    `more` are further lines.

    Its mail belongs to the account `mail` when we are root, whom it serves no mail.
    """
    imap_port, pop3_port, imaps_port, pop3s_port = ports
    return CONFIGURATION.format(
        folder=folder,
        log=log,
        greeting=folder.resolve(),
        host=HOST,
        password=password,
        more=more,
        tls=TLS.format(certificate=certificate) if certificate is not None else "ssl = no",
        imap_port=imap_port,
        pop3_port=pop3_port,
        imaps_port=imaps_port,
        pop3s_port=pop3s_port,
        **accounts(),
    )


def accounts() -> dict[str, str]:
    """Name the accounts that Dovecot's processes run under: all ours, unless we are root."""
    if os.geteuid() == 0:
        return {
            "mail_user": "mail",
            "mail_group": "mail",
            "internal_user": "dovecot",
            "internal_group": "dovecot",
            "login_user": "dovenull",
        }
    user, group = getpass.getuser(), grp.getgrgid(os.getegid()).gr_name
    return {
        "mail_user": user,
        "mail_group": group,
        "internal_user": user,
        "internal_group": group,
        "login_user": user,
    }
