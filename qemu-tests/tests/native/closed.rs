//! The directory that MariaDB knows, while the database is closed: it says where the data
//! is, and nothing else gets into it.

use qemu_tests::{Container, Result, Suite, minutes, seconds};

use crate::gate::{ROWS, guarded, journal, no_mariadbd_runs};

#[test]
fn a_shell_in_the_covered_directory_stops_no_start() -> Result {
    let server = guarded(Suite::Bookworm)?;
    server.shell("systemctl stop mariadb")?.success()?;
    let mut sitter = server.spawn("cd /var/lib/mysql && echo sits; exec sleep 600")?;
    sitter.wait_for("sits", seconds(10))?;
    server.shell("systemctl start mariadb")?.success()?;
    server.shell("systemctl stop mariadb")?.success()?;
    let mut reader =
        server.spawn("exec 3</var/lib/mysql/WHERE-THE-DATA-IS.txt; echo reads; exec sleep 600")?;
    reader.wait_for("reads", seconds(10))?;
    server.shell("systemctl start mariadb")?.success()?;
    assert_eq!(server.sql(ROWS)?.trim(), "1");
    server.shell("systemctl stop mariadb; systemctl reset-failed mariadb")?;
    // The same for one who stands in the open data when it is closed.
    server.shell("systemctl start mariadb")?.success()?;
    let mut inside = server.spawn("cd /var/lib/mysql && echo sits; exec sleep 600")?;
    inside.wait_for("sits", seconds(10))?;
    server.shell("systemctl stop mariadb")?.success()?;
    let listed = server.shell("ls -A /var/lib/mysql")?.success()?;
    assert!(!listed.contains("ibdata1"), "{listed}");
    server.shell("systemctl start mariadb")?.success()?;
    assert_eq!(server.sql(ROWS)?.trim(), "1");
    Ok(())
}

/// Every way of starting something in the closed directory.
const STARTS: &str = "\
    mariadbd --user=mysql --no-defaults --datadir=/var/lib/mysql\n\
    mariadbd --user=root --no-defaults --datadir=/var/lib/mysql\n\
    mariadb-install-db --user=mysql --datadir=/var/lib/mysql\n\
    mysqld_safe --user=mysql --no-defaults --datadir=/var/lib/mysql";

fn the_closed_directory_tells_and_holds_nothing_else(suite: Suite) -> Result {
    let mut server = guarded(suite)?;
    server.shell("systemctl stop mariadb")?.success()?;
    closed(&server, "covered")?;
    // The package's scripts get through on the cover.
    server
        .shell_within(
            "DEBIAN_FRONTEND=noninteractive dpkg-reconfigure mariadb-server && \
             ls -A /var/lib/mysql",
            minutes(3),
        )?
        .success()?;
    server.wait_for_database()?;
    assert_eq!(server.sql(ROWS)?.trim(), "1");

    // Bare, as a power cut leaves it to a rescue system.
    server
        .shell("systemctl mask mariadb mariadb.socket stayput-mariadb-closed; sync")?
        .success()?;
    server.power_cut();
    server.boot()?;
    closed(&server, "bare")?;
    server
        .shell(
            "systemctl unmask mariadb mariadb.socket stayput-mariadb-closed; \
             systemctl start mariadb",
        )?
        .success()?;
    assert_eq!(server.sql(ROWS)?.trim(), "1");
    Ok(())
}

#[test]
fn the_closed_directory_holds_nothing_else_on_debian_12() -> Result {
    the_closed_directory_tells_and_holds_nothing_else(Suite::Bookworm)
}

#[test]
fn the_closed_directory_holds_nothing_else_on_debian_13() -> Result {
    the_closed_directory_tells_and_holds_nothing_else(Suite::Trixie)
}

/// With the mariadb-install-db of MariaDB 11.4.
#[test]
#[ignore = "its image comes from Ubuntu's archive; qemu-tests/matrix runs it"]
fn the_closed_directory_holds_nothing_else_on_ubuntu_25() -> Result {
    the_closed_directory_tells_and_holds_nothing_else(Suite::Plucky)
}

fn closed(server: &Container, how: &str) -> Result {
    let look = "cd /var/lib/mysql && ls -A | grep -v '^debian-' && \
                setpriv --reuid=nobody --clear-groups cat WHERE-THE-DATA-IS.txt";
    let before = server.shell(look)?.success()?;
    assert!(
        before.starts_with("WHERE-THE-DATA-IS.txt\n"),
        "{how}: {before}"
    );
    assert!(
        before.contains("/var/lib/stayput/mariadb"),
        "{how}: {before}"
    );
    for start in STARTS.lines() {
        let output = server.shell(&format!("timeout 30 {start}"))?;
        // mysqld_safe ends well whatever its server does.
        let fails = !output.ok() || start.starts_with("mysqld_safe");
        assert!(fails, "{how}: {start}: {output}");
        no_mariadbd_runs(server)?;
        assert_eq!(server.shell(look)?.success()?, before, "{how}: {start}");
    }
    Ok(())
}

#[test]
fn a_directory_guarded_without_the_text_gets_it() -> Result {
    let server = guarded(Suite::Bookworm)?;
    let bare = "systemctl stop mariadb; umount /var/lib/mysql";
    server
        .shell(&format!(
            "{bare}; chattr -i /var/lib/mysql /var/lib/mysql/*; rm /var/lib/mysql/*; \
             chattr +i /var/lib/mysql"
        ))?
        .success()?;
    server.shell("systemctl start mariadb")?.success()?;
    let listed = server.shell(&format!(
        "{bare}; ls -A /var/lib/mysql; lsattr -d /var/lib/mysql"
    ))?;
    assert!(listed.text.contains("WHERE-THE-DATA-IS.txt"), "{listed}");
    assert!(listed.text.contains("----i---"), "{listed}");
    // What is not this text is somebody's.
    server
        .shell(
            "chattr -i /var/lib/mysql /var/lib/mysql/*; echo x >>/var/lib/mysql/WHERE-THE-DATA-IS.txt; \
             chattr +i /var/lib/mysql",
        )?
        .success()?;
    let foreign = server.shell("systemctl start mariadb")?;
    let said = journal(&server)?;
    assert!(
        !foreign.ok() && said.contains("holds files that are not"),
        "{said}"
    );
    Ok(())
}
