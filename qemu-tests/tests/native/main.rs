//! What happens on a whole server that needs no machine: Debian, systemd and
//! MariaDB in a container.

mod enable;
mod gate;
mod harness;
mod hostile;
mod lost_journal;
mod original;
mod readme;
mod torture;
mod way_back;
