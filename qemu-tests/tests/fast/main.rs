//! What happens before the real system starts, on a machine that is up in
//! seconds.

mod at_home;
mod harness;
mod network;
mod prompt;
mod seen;
mod sticks;
mod stolen;
mod vault;
