//! What happens before the real system starts, on a machine that is up in
//! seconds.

mod harness;
