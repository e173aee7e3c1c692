"""The configuration of the tests' Dovecot, once in each of its two languages: 2.4 reads little of what 2.3 reads.

Both say the same: loopback, no root needed, every user name with one password, a Maildir in each home, a quota, TLS.
"""

from __future__ import annotations

from string import Template

_BOTH = """
base_dir = $root/run
state_dir = $root/state
log_path = $root/dovecot.log
listen = 127.0.0.1
default_internal_user = $user
default_login_user = $user
default_internal_group = $group
first_valid_uid = $uid
first_valid_gid = $gid
mail_max_userip_connections = 1000
default_vsz_limit = 1G
auth_mechanisms = plain login
auth_failure_delay = 0
ssl = yes
mailbox_list_index = no
namespace inbox {
  inbox = yes
  separator = $separator
  prefix = $prefix
  mailbox Drafts {
    special_use = \\Drafts
  }
  mailbox Sent {
    special_use = \\Sent
  }
  mailbox Trash {
    special_use = \\Trash
  }
  mailbox Junk {
    special_use = \\Junk
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
service imap-login {
  chroot =
  process_min_avail = 1
  inet_listener imap {
    port = $imap
  }
  inet_listener imaps {
    port = $imaps
    ssl = yes
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = $pop3
  }
  inet_listener pop3s {
    port = 0
  }
}
service imap {
  process_limit = 512
}
"""

_LANGUAGES = {
    "2.3": """
protocols = imap pop3
disable_plaintext_auth = no
ssl_cert = <$root/server.pem
ssl_key = <$root/server.key
ssl_dh =
mail_location = maildir:~/Maildir
mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=$storage:messages=100000
}
passdb {
  driver = static
  mechanisms = plain login
  args = password=$password
}
userdb {
  driver = static
  args = uid=$uid gid=$gid home=$root/home/%u allow_all_users=yes
}
service imap-login {
  service_count = 0
}
""",
    "2.4": """
protocols {
  imap = yes
  pop3 = yes
}
auth_allow_cleartext = yes
ssl_server_cert_file = $root/server.pem
ssl_server_key_file = $root/server.key
mail_driver = maildir
mail_path = ~/Maildir
mail_plugins {
  quota = yes
}
protocol imap {
  mail_plugins {
    imap_quota = yes
  }
}
quota_storage_size = $storage
quota_message_count = 100000
quota "User quota" {
}
passdb static {
  mechanisms_filter = plain login
  password = $password
}
userdb static {
  allow_all_users = yes
  fields {
    uid = $uid
    gid = $gid
    home = $root/home/%{user}
  }
}
service imap-login {
  restart_request_count = unlimited
}
""",
}
_FIRST = {"2.3": "", "2.4": "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"}
"""What must come before everything else."""


def language(version: str) -> str | None:
    """The language that a Dovecot of this version (``dovecot --version``) reads; None for one that is not known."""
    return next((known for known in _LANGUAGES if version.startswith(f"{known}.")), None)


def configuration(language: str, extra: str, **values: object) -> str:
    """All of it; ``extra`` is in that language and is obeyed where it says otherwise."""
    return _FIRST[language] + Template(_BOTH + _LANGUAGES[language]).substitute(values) + extra
