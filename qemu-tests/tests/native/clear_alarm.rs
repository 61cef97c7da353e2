//! An alarm or a reset while the database is made clear: no clear copy stays on the disk
//! that nobody needs, and no row is lost that somebody has written.

use qemu_tests::{Container, Result, Suite, search};

use crate::clear::{CANARY, CLEAR, GATE, encrypted_clinic, in_a_line, is_behind_the_gate};
use crate::clinic::{JOURNAL, has_rows, stayput};
use crate::way_back::{systemctl_acts_when, was_killed};

const ALARM: &str = "touch /run/stayput-no-start";

/// A patient who stands nowhere on the disk in the clear.
fn clinic_with_canary() -> Result<Container> {
    let server = encrypted_clinic(Suite::Bookworm)?;
    server.sql(&format!(
        "INSERT INTO clinic.patient (name) VALUES ('{CANARY}')"
    ))?;
    Ok(server)
}

/// Moments between the end of the gate and MariaDB's start. The run itself calls then.
fn moments() -> [String; 2] {
    let of_the_run = "grep -q continue /proc/$PPID/cmdline";
    [
        // Its units are masked.
        format!("{of_the_run} && grep -q \"^stage starting\" {JOURNAL} && [ ! -e {GATE} ]"),
        // They are let go, and it is about to be started.
        format!(
            "{of_the_run} && [ \"$1\" = reset-failed ] && grep -q \"^stage starting\" {JOURNAL}"
        ),
    ]
}

fn nothing_is_readable(server: &mut Container) -> Result {
    server.shut_down()?;
    let needles = [CANARY.as_bytes().to_vec()];
    assert_eq!(search::found_in(server.disk(), &needles)?, [0; 0]);
    Ok(())
}

#[test]
fn alarm_before_the_first_start_leaves_nothing_readable() -> Result {
    for moment in moments() {
        let mut server = clinic_with_canary()?;
        systemctl_acts_when(&server, &moment, ALARM)?;
        let said = stayput(&server, CLEAR)?;
        assert!(!said.ok(), "{said}");
        was_killed(&server)?;
        assert!(!server.shell("pidof mariadbd")?.ok(), "{said}");
        server
            .shell("[ ! -e /var/lib/mysql/ibdata1 ] && ! ls -d /var/lib/stayput/*taken-back*")?
            .success()
            .inspect_err(|_| println!("{moment}: {said}"))?;
        // A false alarm costs no row.
        server.shell("stayput release")?.success()?;
        has_rows(&server, 5001).inspect_err(|_| println!("{moment}: {said}"))?;
        is_behind_the_gate(&server)?;
        nothing_is_readable(&mut server)?;
    }
    Ok(())
}

#[test]
fn reset_before_the_first_start_leaves_nothing_readable() -> Result {
    for moment in moments() {
        let mut server = clinic_with_canary()?;
        let reset = "systemd-run --quiet --no-block sh -c \
                     \"echo clinic | stayput reset >/run/reset 2>&1; touch /run/was-reset\"; sleep 20";
        systemctl_acts_when(&server, &moment, reset)?;
        let said = stayput(&server, CLEAR)?;
        assert!(!said.ok(), "{said}");
        server
            .shell("timeout 60 sh -c 'until [ -e /run/was-reset ]; do sleep 0.2; done'")?
            .success()?;
        was_killed(&server)?;
        let reset = server.shell("cat /run/reset")?;
        let told = in_a_line(&reset);
        assert!(!told.contains("NOT DESTROYED"), "{moment}: {reset}");
        assert!(!server.shell("pidof mariadbd")?.ok(), "{reset}");
        nothing_is_readable(&mut server)?;
    }
    Ok(())
}

#[test]
fn alarm_after_the_first_start_keeps_what_may_be_written() -> Result {
    let server = clinic_with_canary()?;
    let started = format!(
        "grep -q continue /proc/$PPID/cmdline && [ \"$1\" = show ] && \
         grep -q \"^stage starting\" {JOURNAL} && pidof mariadbd >/dev/null"
    );
    systemctl_acts_when(&server, &started, ALARM)?;
    let said = stayput(&server, CLEAR)?;
    assert!(!said.ok(), "{said}");
    was_killed(&server)?;
    assert!(!server.shell("pidof mariadbd")?.ok(), "{said}");
    assert!(in_a_line(&said).contains("so it is kept"), "{said}");
    let status = server.shell("stayput status")?;
    assert!(in_a_line(&status).contains("was interrupted"), "{status}");
    server.shell("stayput release --no-start")?.success()?;
    stayput(&server, CLEAR)?.success()?;
    has_rows(&server, 5001)
}
