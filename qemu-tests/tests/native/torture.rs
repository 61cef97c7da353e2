//! A part of `qemu-tests/run torture` that is small enough for each run of the
//! tests.

use qemu_tests::torture::{Cut, Kind, Life, ServerText, all_servers, groups, try_all};
use qemu_tests::{Failure, Result, Suite};

/// All servers of these are sound, or refused before they were stopped.
fn hold(suite: Suite, servers: &[ServerText]) -> Result {
    let findings = try_all(groups(suite, servers), 1, &|finding| {
        println!("{}: {}", finding.server, finding.outcome);
    });
    assert!(!findings.is_empty(), "none was tried");
    let wrong: Vec<String> = findings
        .into_iter()
        .filter_map(|finding| Some(format!("{}: {}", finding.server, finding.wrong?)))
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(wrong.join("\n")))
    }
}

/// Those that share a container: nearly a hundred cost hardly more than one.
fn sociable_servers_hold(suite: Suite) -> Result {
    let mut servers = all_servers()?;
    servers.retain(|server| !server.alone);
    hold(suite, &servers)
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it; the one of the other Debian is in each run"]
fn sociable_servers_are_the_same_on_debian_12() -> Result {
    sociable_servers_hold(Suite::Bookworm)
}

#[test]
fn sociable_servers_are_the_same_on_debian_13() -> Result {
    sociable_servers_hold(Suite::Trixie)
}

#[test]
fn ten_servers_of_their_own_are_sound_or_refused() -> Result {
    let mut servers = all_servers()?;
    servers.retain(|server| server.alone && !server.large);
    let step = servers.len() / 5;
    for suite in Suite::IN_CONTAINERS {
        let some: Vec<ServerText> = servers
            .iter()
            .skip(suite as usize)
            .step_by(step)
            .take(5)
            .cloned()
            .collect();
        hold(suite, &some)?;
    }
    Ok(())
}

/// Half of them; the others are on the other Debian.
fn lose_nothing(kinds: &[Kind], count: usize, suite: Suite) -> Result {
    let mut cuts = Cut::plan(kinds, count, 15);
    cuts.retain(|cut| cut.suite == suite);
    for cut in cuts {
        println!("{cut}: {}", cut.run()?);
    }
    Ok(())
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it; the one of the other Debian is in each run"]
fn kills_and_power_cuts_lose_no_row_on_debian_12() -> Result {
    lose_nothing(&Kind::CUTS, 10, Suite::Bookworm)
}

#[test]
fn kills_and_power_cuts_lose_no_row_on_debian_13() -> Result {
    lose_nothing(&Kind::CUTS, 10, Suite::Trixie)
}

/// With MariaDB 11.4, which no Debian has.
#[test]
#[ignore = "its image comes from Ubuntu's archive; qemu-tests/matrix runs it"]
fn sociable_servers_are_the_same_on_ubuntu_25() -> Result {
    sociable_servers_hold(Suite::Plucky)
}

#[test]
#[ignore = "its image comes from Ubuntu's archive; qemu-tests/matrix runs it"]
fn kills_and_power_cuts_lose_no_row_on_ubuntu_25() -> Result {
    for mut cut in Cut::plan(&Kind::CUTS, 5, 15) {
        cut.suite = Suite::Plucky;
        println!("{cut}: {}", cut.run()?);
    }
    Ok(())
}

#[test]
fn watchdogs_and_second_runs_lose_no_row_on_debian_12() -> Result {
    lose_nothing(&Kind::DISTURBANCES, 6, Suite::Bookworm)
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it; the one of the other Debian is in each run"]
fn watchdogs_and_second_runs_lose_no_row_on_debian_13() -> Result {
    lose_nothing(&Kind::DISTURBANCES, 6, Suite::Trixie)
}

#[test]
fn cuts_of_backup_restore_and_rekey_lose_nothing() -> Result {
    for life in Life::plan(6, 3) {
        println!("{life}: {}", life.run()?);
    }
    Ok(())
}
