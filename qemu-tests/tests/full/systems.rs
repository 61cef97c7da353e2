//! The story on the other systems. `qemu-tests/matrix` tells it on all of them; here
//! it is the other generator's turn.

use qemu_tests::{Result, Story, System, minutes, seconds};

#[test]
fn on_debian_13_with_dracut_the_same_story_holds() -> Result {
    let mut silent = |_: &str| ();
    let mut story = Story::begin(System::WITH_DRACUT, &mut silent)?;
    story.at_home(&mut silent)?;
    let said = story.server.shell_within("stayput check", minutes(5))?;
    let said = said.success()?;
    assert!(said.contains("opens by itself"), "{said}");
    assert!(!said.contains("WRONG"), "{said}");
    assert!(
        !said.contains("before the stage"),
        "of systemd's own: {said}"
    );
    story.power_cut(&mut silent)?;
    story.stolen(&mut silent)?;
    nothing_is_drawn_over_the_prompt(&mut story)?;
    no_disk_is_given_up_meanwhile(&mut story)?;
    a_killed_stage_comes_back_and_nothing_goes_on(&mut story)?;
    no_shell_is_offered(&mut story)?;
    story.stick_brings_it_back(&mut silent)
}

/// systemd says of every job that takes longer than 5 s that it runs, and how long
/// it may.
fn nothing_is_drawn_over_the_prompt(story: &mut Story) -> Result {
    std::thread::sleep(seconds(10));
    let shown = story.server.console().transcript();
    let (_, behind) = shown.rsplit_once("stayput> ").unwrap_or_default();
    assert_eq!(behind, "", "{shown}");
    assert!(!shown.contains("start job"), "{shown}");
    Ok(())
}

/// systemd waits 90 s for a device, and gives up what needs it after that. One below LVM
/// comes only after the stage: until then the wait has not begun. It has an end, so that a
/// dead disk holds up no boot for ever.
fn no_disk_is_given_up_meanwhile(story: &mut Story) -> Result {
    let wait = "systemctl start --no-block dev-never.device; systemctl list-jobs --no-legend | \
                while read -r id unit what state; do [ $unit = dev-never.device ] || continue; \
                echo $what $state; systemctl cancel $id; done; \
                systemctl show --property=JobRunningTimeoutUSec --value dev-never.device";
    let said = story.server.shell(wait)?.success()?;
    assert_eq!(said, "start waiting\n1min 30s\n");
    Ok(())
}

fn a_killed_stage_comes_back_and_nothing_goes_on(story: &mut Story) -> Result {
    let prompts = |story: &mut Story| {
        let shown = story.server.console().transcript();
        shown.matches("stayput> ").count()
    };
    let before = prompts(story);
    let kill = "for comm in $(grep -lx stayput-boot /proc/[0-9]*/comm); do \
                pid=${comm#/proc/}; kill -9 ${pid%/comm}; done";
    story.server.shell(kill)?.success()?;
    for _ in 0..60 {
        if prompts(story) > before {
            break;
        }
        std::thread::sleep(seconds(1));
    }
    assert!(prompts(story) > before, "the prompt did not come back");
    let state = "systemctl is-active stayput-boot.service sysroot.mount; \
                 ls -A /run/stayput 2>/dev/null; true";
    let said = story.server.shell(state)?.success()?;
    assert_eq!(said, "activating\ninactive\n");
    // systemd would end the unit where the kernel has killed for want of memory.
    let policy = "systemctl show --property=OOMPolicy --value stayput-boot.service";
    let said = story.server.shell(policy)?.success()?;
    assert_eq!(said, "continue\n");
    Ok(())
}

/// What dracut does when a step fails.
fn no_shell_is_offered(story: &mut Story) -> Result {
    let ask = "export hookdir=/lib/dracut/hooks; . /lib/dracut-lib.sh; \
               getargbool 1 rd.shell && echo shell; getarg rd.emergency";
    let said = story.server.shell(ask)?.success()?;
    assert_eq!(said.trim(), "reboot");
    Ok(())
}
