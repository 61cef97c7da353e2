//! The story on the other systems. `qemu-tests/matrix` tells it on all of them; here
//! it is the other generator's turn.

use qemu_tests::{DebianMachine, Result, Story, System, minutes, seconds};

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
    story.server.kernel_words = TALKATIVE.into();
    story.stolen(&mut silent)?;
    nothing_is_drawn_over_the_prompt(&mut story)?;
    no_disk_is_given_up_meanwhile(&mut story)?;
    a_killed_stage_comes_back_and_nothing_goes_on(&mut story)?;
    no_shell_is_offered(&mut story)?;
    story.stick_brings_it_back(&mut silent)
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn with_dracut_a_screen_shows_the_prompt_and_no_more() -> Result {
    let mut silent = |_: &str| ();
    let mut story = Story::begin(System::WITH_DRACUT, &mut silent)?;
    let stick = DebianMachine::installed_stick(System::WITH_DRACUT)?;
    story.server.kernel_words = TALKATIVE.into();
    story.server.screen = true;
    story.stolen(&mut silent)?;
    nothing_is_drawn_over_the_prompt(&mut story)?;
    // It has no line ends.
    let screen = story.server.shell("cat /dev/vcs1")?.success()?;
    assert!(screen.trim_end().ends_with("stayput>"), "{screen}");
    assert!(!screen.contains("no limit)"), "{screen}");
    story.server.asks_for_status_on_screen()?;
    nothing_is_mounted_or_checked(&mut story)?;

    story.server.plug(&stick)?;
    story.server.wait_for_system()?;
    story.server.wait_for_database()?;
    what_the_kernel_shows_is_as_before(&mut story)
}

/// The kernel says everything on the consoles. systemd says nothing while the boot is quick;
/// of a job that takes longer than 25 s it says that it runs, and how long it may, and shows
/// everything from then on until the boot has ended.
const TALKATIVE: &str = "loglevel=7 systemd.show_status=auto";

fn nothing_is_drawn_over_the_prompt(story: &mut Story) -> Result {
    std::thread::sleep(seconds(20));
    story.server.shell("echo '<4>a driver speaks' >/dev/kmsg")?;
    let shown = story.server.console().transcript();
    let (_, behind) = shown.rsplit_once("stayput> ").expect("the prompt is there");
    // As in `Job stayput-boot.service/start running (49s / no limit)`.
    assert_eq!(behind, "", "{shown}");
    assert!(!shown.contains("no limit)"), "{shown}");
    Ok(())
}

/// Whatever touches the disk waits for the stage.
fn nothing_is_mounted_or_checked(story: &mut Story) -> Result {
    let jobs = story.server.jobs()?;
    for unit in ["systemd-fsck-root.service", "sysroot.mount"] {
        let waits = format!("{unit} waiting");
        assert!(jobs.contains(&waits), "{unit}: {jobs:?}");
    }
    Ok(())
}

/// How much of the kernel's messages the console shows is as it was before the prompt.
fn what_the_kernel_shows_is_as_before(story: &mut Story) -> Result {
    story.server.wait_until_up()?;
    let ask = "read -r level rest </proc/sys/kernel/printk; echo $level";
    let said = story.server.shell(ask)?.success()?;
    assert_eq!(said, "7\n");
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
