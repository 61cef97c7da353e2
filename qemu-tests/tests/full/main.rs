//! What happens on a whole server: Debian, systemd, MariaDB.

mod enable;
mod gate;
mod layers;
mod nfs;
mod package;
mod reset;
mod story;
mod systems;
