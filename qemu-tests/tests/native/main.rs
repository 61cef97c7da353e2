//! What happens on a whole server that needs no machine: Debian, systemd and
//! MariaDB in a container.

mod automatic;
mod backup;
mod bad_sticks;
mod clear;
mod clear_alarm;
mod clear_copy;
mod clinic;
mod closed;
mod disable;
mod disks;
mod emergency;
mod enable;
mod gate;
mod hanging_disk;
mod harness;
mod hostile;
mod late_place;
mod leaks;
mod lost_journal;
mod lost_vault;
mod mistreated;
mod new_server;
mod new_vault;
mod old_image;
mod original;
mod package;
mod permission;
mod plugged;
mod readme;
mod setup;
mod sticks;
mod torture;
mod upgrade;
mod verdicts;
mod way_back;
