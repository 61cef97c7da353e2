//! Scenarios of the machine: what happens, which acts follow, and in which
//! order.

mod at_home;
mod boot;
mod clinic;
mod hanging;
mod lost_vault;
mod people;
mod random;
mod stolen;
