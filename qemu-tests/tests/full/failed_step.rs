//! A step of the boot fails after the release, when the keys are in memory: nobody who
//! stands there gets a shell, and the server starts again. `qemu-tests/matrix` runs these.

use qemu_tests::{DebianMachine, Failure, Place, Result, System, minutes, seconds};

/// Nothing has this name. dracut would wait for it for minutes after the stage.
const NO_ROOT: &str = "root=PARTUUID=00000000-0000-0000-0000-000000000000 rd.retry=10";

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn with_initramfs_tools_a_lost_root_gives_no_shell() -> Result {
    a_lost_root_gives_no_shell(System::USUAL)
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn with_dracut_a_lost_root_gives_no_shell() -> Result {
    a_lost_root_gives_no_shell(System::WITH_DRACUT)
}

fn a_lost_root_gives_no_shell(system: System) -> Result {
    let home = Place::home()?;
    let mut server = DebianMachine::installed(system, &mut |_| ())?;
    server.kernel_words = NO_ROOT.into();
    server.switch_on_at(&home)?;
    nobody_gets_a_shell(&mut server)
}

/// From the release to the restart.
fn nobody_gets_a_shell(server: &mut DebianMachine) -> Result {
    let released = "i=0; until dmesg | grep -q 'stayput: released'; do \
                    [ $i != 600 ] || exit 1; sleep 0.2; i=$((i+1)); done; ls /run/stayput";
    let released = server.shell_within(released, minutes(4))?.success()?;
    assert!(released.contains("mariadb.keys"), "{released}");

    // Somebody types all the time. A line that is only shown again holds no 42.
    for _ in 0..240 {
        server.console().type_line("echo shell $((40+2))")?;
        if server.machine()?.wait_for_restart(seconds(1)).is_ok() {
            let shown = server.console().transcript();
            assert!(shown.contains("echo shell"), "{shown}");
            assert!(!shown.contains("shell 42"), "{shown}");
            return Ok(());
        }
    }
    let shown = server.console().transcript();
    Err(Failure::new(format!("it has not started again: {shown}")))
}
