//! What `audit`, `check` and `uninstall` say of a database, and what is true of it.

use qemu_tests::Result;

use crate::clinic::{clinic, stayput};

const GATE: &str = "/etc/systemd/system/mariadb.service.d/stayput.conf";

#[test]
fn verdicts_are_about_the_data_and_the_next_boot() -> Result {
    let server = clinic()?;
    let audit = server.shell("stayput audit")?.text;
    assert!(audit.contains("the database is not encrypted"), "{audit}");
    assert!(!audit.contains("\ncovered"), "{audit}");

    // One table of the clinic's cannot be encrypted.
    stayput(&server, "enable --destroy-original")?.success()?;
    let clear = "stayput audit --json 2>/dev/null | sed -n '/\"in_clear\"/,/]/p'";
    let listed = server.shell(clear)?.success()?;
    assert!(listed.contains("`clinic`.`old`"), "{listed}");
    assert_eq!(listed.lines().count(), 3, "nothing else: {listed}");
    server.sql("ALTER TABLE clinic.old ENGINE=InnoDB")?;
    let listed = server.shell(clear)?.success()?;
    assert!(listed.contains("\"in_clear\": []"), "{listed}");
    server.sql("SET GLOBAL general_log = ON")?;
    let listed = server.shell(clear)?.success()?;
    assert!(listed.contains("general_log is ON"), "{listed}");
    server.sql("SET GLOBAL general_log = OFF")?;

    server.shell("systemctl disable mariadb")?.success()?;
    let check = server.shell("stayput check")?;
    assert_eq!(check.status, 1, "{check}");
    assert!(
        check.text.contains("WRONG    MariaDB does not start with"),
        "{check}"
    );

    // The check file alone is lost: the database is as encrypted as before.
    server
        .shell("rm /var/lib/stayput/mariadb.check")?
        .success()?;
    let said = server.shell("stayput uninstall --yes")?;
    assert_eq!(said.status, 4, "{said}");
    server.shell(&format!("test -e {GATE}"))?.success()?;
    Ok(())
}
