//! The story that stayput is for; its steps are in `qemu_tests::Story`.

use qemu_tests::{DebianMachine, Result, Story};

fn silent() -> impl FnMut(&str) {
    |_: &str| ()
}

#[test]
fn no_power_cut_costs_a_row_no_thief_gets_one_and_the_stick_brings_them_back() -> Result {
    let mut story = Story::begin(&mut silent())?;
    story.at_home(&mut silent())?;
    story.power_cut(&mut silent())?;
    story.server.screen = true;
    story.stolen(&mut silent())?;
    type_status_on_the_usb_keyboard(&mut story.server)?;
    story.stick_brings_it_back(&mut silent())
}

/// The initramfs has to hold the keyboard's drivers: nothing but the hook put
/// them there.
fn type_status_on_the_usb_keyboard(server: &mut DebianMachine) -> Result {
    for key in ["s", "t", "a", "t", "u", "s", "ret"] {
        server.machine()?.press(key)?;
    }
    server
        .shell(
            "i=0; until grep -q 'Network card' /dev/vcs1; do \
             [ $i != 100 ] || { cat /dev/vcs1; exit 1; }; sleep 0.2; i=$((i+1)); done",
        )?
        .success()?;
    Ok(())
}
