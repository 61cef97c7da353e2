//! What happens on a whole server: Debian, systemd, MariaDB.

mod harness;
mod story;
