//! What happens on a whole server: Debian, systemd, MariaDB.

mod backup;
mod bad_sticks;
mod enable;
mod failed_step;
mod gate;
mod generators;
mod layers;
mod nfs;
mod package;
mod reset;
mod story;
mod systems;
