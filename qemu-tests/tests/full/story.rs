//! The story that stayput is for; its steps are in `qemu_tests::Story`.

use qemu_tests::{Result, Story};

fn silent() -> impl FnMut(&str) {
    |_: &str| ()
}

#[test]
fn at_home_the_database_starts_and_the_raw_disk_shows_no_patient() -> Result {
    let mut story = Story::begin(&mut silent())?;
    story.at_home(&mut silent())
}

#[test]
fn after_a_power_cut_at_home_every_committed_row_is_there() -> Result {
    let mut story = Story::begin(&mut silent())?;
    story.at_home(&mut silent())?;
    story.power_cut(&mut silent())
}

#[test]
fn a_stolen_server_halts_and_the_owners_stick_brings_it_back() -> Result {
    let mut story = Story::begin(&mut silent())?;
    story.at_home(&mut silent())?;
    story.stolen(&mut silent())?;
    story.stick_brings_it_back(&mut silent())
}
