//! The ground that the other scenarios stand on: a container starts, its
//! power goes, its disk keeps what it was told to keep.

use qemu_tests::{Container, Result, Suite, seconds};

#[test]
fn each_debian_starts_with_its_own_mariadb() -> Result {
    for (suite, version) in [(Suite::Bookworm, "10.11."), (Suite::Trixie, "11.8.")] {
        let server = Container::fresh(suite)?;
        server.wait_for_database()?;
        assert!(server.sql("SELECT VERSION()")?.starts_with(version));
        // Stayput's own view of its vault.
        let status = server.shell("stayput status")?;
        assert!(status.text.contains("clinic"), "{status}");
    }
    Ok(())
}

#[test]
fn only_what_was_flushed_is_left_after_a_power_cut() -> Result {
    let mut server = Container::fresh(Suite::Bookworm)?;
    let write = "cd /var/lib && echo kept >kept && sync kept && sync . && \
                 mkdir made && echo lost >made/lost && echo lost >lost";
    server.shell(write)?.success()?;
    server.power_cut_losing_unflushed()?;
    server.boot()?;
    let left = server.shell("cd /var/lib && cat kept lost made/lost")?;
    assert_eq!(left.text.lines().next(), Some("kept"), "{left}");
    assert!(!left.text.contains("lost\n"), "{left}");

    // The control: a crash of the system alone loses nothing of it.
    server.shell(write)?.success()?;
    server.power_cut();
    server.boot()?;
    let left = server.shell("cd /var/lib && cat kept lost made/lost")?;
    assert_eq!(left.text, "kept\nlost\nlost\n");
    Ok(())
}

#[test]
fn nothing_of_a_container_is_left_behind() -> Result {
    let mut server = Container::fresh(Suite::Bookworm)?;
    let mut sleeper = server.spawn("echo here; exec sleep 600")?;
    sleeper.wait_for("here", seconds(10))?;
    let disk = server.disk().display().to_string();
    server.power_cut();
    assert!(sleeper.wait(seconds(10)).is_ok_and(|output| !output.ok()));
    let loops = qemu_tests::run("losetup", &["--list", "--noheadings", "-O", "BACK-FILE"])?;
    assert!(!loops.contains(&disk), "{loops}");
    server.boot()?;
    server.shut_down()
}
