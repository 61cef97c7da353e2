//! `stayput mariadb enable` on servers that have been in use for years.

use qemu_tests::{Container, Failure, Result, Suite, minutes, search};

/// Stands in a table of the old server; afterwards nowhere on the disk.
const CANARY: &str = "Halima Okello 4471 sickle cell";

/// What a clinic has gathered: each kind of table, account and program.
const YEARS: &str = include_str!("years.sql");

/// What must be the same before and after, rows and all.
const SAME: &str = "CHECKSUM TABLE clinic.patient, clinic.visit, clinic.old, \
     clinic.kept, clinic.change_log EXTENDED; \
     SELECT COUNT(*) FROM clinic.kept FOR SYSTEM_TIME ALL; \
     SELECT SUM(weight) FROM clinic.patient; SELECT * FROM clinic.`we``ird na.me`; \
     SHOW GRANTS FOR nurse; SELECT definer, action_statement FROM information_schema.triggers \
     WHERE trigger_name = 'noted'; \
     SELECT event_name, starts FROM information_schema.events; \
     SELECT COUNT(*) FROM clinic.heavy; CALL clinic.count_them()";

/// A server with years of data, and what `SAME` says of it.
fn server_of_years(suite: Suite) -> Result<(Container, String)> {
    let server = Container::fresh(suite)?;
    server.wait_for_database()?;
    server.sql(&YEARS.replace("CANARY", CANARY))?;
    let before = server.sql(SAME)?;
    Ok((server, before))
}

fn enable(server: &Container) -> Result<qemu_tests::Output> {
    server.shell_within("stayput mariadb enable --yes", minutes(3))
}

fn server_of_years_is_encrypted_whole(suite: Suite) -> Result {
    let (mut server, before) = server_of_years(suite)?;
    enable(&server)?.success()?;
    assert_eq!(server.sql(SAME)?, before);

    // And after a boot, in which the gate lets it start; the clear original
    // goes by itself then.
    server.shut_down()?;
    server.boot()?;
    server.wait_for_database()?;
    assert_eq!(server.sql(SAME)?, before);
    server
        .shell("while [ -e /var/lib/stayput/mariadb.original ]; do sleep 0.2; done")?
        .success()?;
    server.sql(
        "INSERT INTO clinic.old VALUES (2, 'a note in the clear 5512'); FLUSH TABLES clinic.old",
    )?;
    server.shut_down()?;
    let needles = [
        b"a note in the clear 5512".to_vec(),
        CANARY.as_bytes().to_vec(),
    ];
    // The first shows that the search finds what is there to find.
    assert_eq!(search::found_in(server.disk(), &needles)?, [0]);
    Ok(())
}

#[test]
fn server_of_years_is_encrypted_whole_on_debian_12() -> Result {
    server_of_years_is_encrypted_whole(Suite::Bookworm)
}

#[test]
fn server_of_years_is_encrypted_whole_on_debian_13() -> Result {
    server_of_years_is_encrypted_whole(Suite::Trixie)
}

#[test]
#[ignore = "its image comes from Ubuntu's archive; qemu-tests/matrix runs it"]
fn server_of_years_is_encrypted_whole_on_ubuntu_25() -> Result {
    server_of_years_is_encrypted_whole(Suite::Plucky)
}

/// MyISAM, CSV and Aria's own tables are not synced by the server.
#[test]
fn power_cut_right_after_it_is_done_loses_no_row() -> Result {
    let (mut server, before) = server_of_years(Suite::Bookworm)?;
    enable(&server)?.success()?;
    server.power_cut_losing_unflushed()?;
    server.boot()?;
    server.wait_for_database()?;
    assert_eq!(server.sql(SAME)?, before);
    Ok(())
}

#[test]
fn what_cannot_be_done_is_refused_and_the_server_goes_on() -> Result {
    let (server, before) = server_of_years(Suite::Bookworm)?;
    let cases = [
        (
            "free=$(df --output=avail -k /var/lib | tail -n 1); \
             fallocate -l $((free - 100000))K /var/full",
            "rm /var/full",
            "too little room",
        ),
        (
            "mariadb -e 'CREATE TABLE clinic.clear (a INT) ENCRYPTED=NO'",
            "mariadb -e 'DROP TABLE clinic.clear'",
            "`clinic`.`clear`",
        ),
    ];
    for (obstacle, way_out, why) in cases {
        server.shell(obstacle)?.success()?;
        let output = enable(&server)?;
        if output.ok() || !output.text.contains(why) {
            return Err(Failure::new(format!("no refusal with {why:?}: {output}")));
        }
        server.wait_for_database()?;
        server.shell(way_out)?.success()?;
        assert_eq!(server.sql(SAME)?, before);
    }
    enable(&server)?.success()?;
    assert_eq!(server.sql(SAME)?, before);
    Ok(())
}
