//! Everything else that happens before the real system starts: several boots
//! each, or long waits.

mod address;
mod arm64;
mod at_home;
mod bond_and_vlan;
mod exits;
mod harness;
mod key_server;
mod late;
mod manners;
mod margin;
mod network;
mod people;
mod pictures;
mod power_cuts;
mod prompt;
mod sticks;
mod stolen;
mod suspect;
mod swapped;
mod theft;
mod vault;
mod watch;
