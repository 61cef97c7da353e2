//! Tests of the whole library: what is on the disk, how the rooms depend on each other,
//! and how tests are named and laid out.

mod fixed_image;
mod layout;
mod rooms;
mod run_stage;
