//! The boot stage in a minute: what every change is tried against first, on a
//! machine that is up in seconds. The rest of its scenarios is in `thorough`.

mod home;
mod stick;
mod stolen;
