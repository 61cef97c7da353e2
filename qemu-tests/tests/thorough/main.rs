//! Everything else that happens before the real system starts: several boots
//! each, or long waits.

mod at_home;
mod exits;
mod harness;
mod network;
mod prompt;
mod sticks;
mod stolen;
mod theft;
mod vault;
