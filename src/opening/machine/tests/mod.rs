//! A server's days, each in milliseconds: what happens, what is done, and in
//! which order.

mod at_home;
mod boot;
mod clinic;
mod people;
mod random;
mod stolen;
