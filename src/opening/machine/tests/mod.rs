//! Scenarios of the machine: what happens, which acts follow, and in which
//! order.

mod at_home;
mod boot;
mod clinic;
mod codes;
mod duress;
mod hanging;
mod key_servers;
mod lost_vault;
mod people;
mod random;
mod repairs;
mod same_subnet;
mod stolen;
