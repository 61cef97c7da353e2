//! The boot stage.

fn main() {}
