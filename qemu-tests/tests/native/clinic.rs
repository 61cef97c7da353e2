//! A clinic's server, and what its owner does with it.

use qemu_tests::{Container, Output, Result, Suite, minutes};

pub const JOURNAL: &str = "/var/lib/stayput/mariadb.enable";
pub const REAL: &str = "/var/lib/stayput/mariadb";
pub const ORIGINAL: &str = "/var/lib/stayput/mariadb.original";
pub const MAKING: &str = "/var/lib/stayput/mariadb.making";

/// A server with 5000 patients.
pub fn clinic() -> Result<Container> {
    let server = Container::fresh(Suite::Bookworm)?;
    server.wait_for_database()?;
    fill(&server)?;
    Ok(server)
}

pub fn fill(server: &Container) -> Result {
    server.sql(
        "CREATE DATABASE clinic; USE clinic; CREATE TABLE patient (id INT PRIMARY KEY AUTO_INCREMENT, \
         name VARCHAR(80)); INSERT INTO patient (name) SELECT CONCAT('Wanjiru ', seq) \
         FROM seq_1_to_5000; CREATE TABLE old (id INT) ENGINE=MyISAM; INSERT INTO old VALUES (1)",
    )?;
    Ok(())
}

/// `stayput mariadb COMMAND`, to which the owner says yes.
pub fn stayput(server: &Container, command: &str) -> Result<Output> {
    server.shell_within(&format!("stayput mariadb {command} --yes"), minutes(4))
}

pub fn has_rows(server: &Container, rows: u32) -> Result {
    server.wait_for_database()?;
    let there = server.sql("SELECT COUNT(*) FROM clinic.patient")?;
    assert_eq!(there.trim(), rows.to_string());
    Ok(())
}
