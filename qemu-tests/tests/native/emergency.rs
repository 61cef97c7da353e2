//! docs/emergency.md, word for word: a backup is read on a server that has no stayput.

use std::fs;

use qemu_tests::{Container, Result, Suite, fetched_packages, minutes, project, run};

use crate::backup::{guarded, stayput};

const PAGE: &str = "docs/emergency.md";
const TODAY: &str = "## Today, while all is well";
const CHOOSE: &str = "## In the emergency";
const DUMP: &str = "### It is a dump";
const FILES: &str = "### It is a copy of MariaDB's files";
const INCLUDED: &str = "### Files that were backed up with --include";

/// All commands below a heading, up to the next one.
fn commands(heading: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(project().join(PAGE))?;
    let below = text.lines().skip_while(|line| *line != heading).skip(1);
    let section = below.take_while(|line| !line.starts_with('#'));
    let typed = section.filter_map(|line| line.strip_prefix("    "));
    let typed: Vec<String> = typed.map(str::to_owned).collect();
    assert!(!typed.is_empty(), "{heading}");
    Ok(typed)
}

/// Types what stands below these headings into one shell, which ends at the first command
/// that fails. There is no network: what apt would fetch is installed already.
fn types(server: &Container, headings: &[&str]) -> Result {
    let mut script = String::from("set -e\napt-get() { :; }\n");
    for heading in headings {
        script += &commands(heading)?.join("\n");
        script += "\n";
    }
    let file = server.root()?.join("root/typed");
    fs::write(file, script)?;
    server
        .shell_within("bash /root/typed", minutes(5))?
        .success()?;
    Ok(())
}

/// Backs up a clinic with these words, and carries backups and identity to a bare server.
fn backups_at_a_bare_server(words: &str) -> Result<Container> {
    let lost = guarded()?;
    lost.shell(
        "mkdir -p /media/safe /media/backup /srv/charts && echo 'chart of Wanjiru' >/srv/charts/1",
    )?
    .success()?;
    stayput(
        &lost,
        &format!("backup --same-disk --to /media/backup {words}"),
    )?
    .success()?;
    types(&lost, &[TODAY])?;
    let bare = Container::without_vault(Suite::Bookworm)?;
    bare.wait_for_database()?;
    bare.install_backup_programs()?;
    for folder in ["safe", "backup"] {
        let from = lost.root()?.join("media").join(folder);
        let to = bare.root()?.join("media");
        let words = ["-a", &from.display().to_string(), &to.display().to_string()];
        run("cp", &words)?;
    }
    Ok(bare)
}

fn has_the_rows(server: &Container) -> Result {
    server.wait_for_database()?;
    let rows = server.sql("SELECT COUNT(*), MAX(name) FROM clinic.patient")?;
    assert!(rows.contains("5000") && rows.contains("Wanjiru"), "{rows}");
    assert_eq!(server.sql("SELECT COUNT(*) FROM clinic.old")?.trim(), "1");
    Ok(())
}

#[test]
fn dump_is_read_where_there_is_no_stayput() -> Result {
    let server = backups_at_a_bare_server("--method dump --include /srv/charts")?;
    types(&server, &[CHOOSE, DUMP, INCLUDED])?;
    has_the_rows(&server)?;
    let chart = server.shell("cat /var/lib/restored-files/srv/charts/1")?;
    assert_eq!(chart.success()?, "chart of Wanjiru\n");
    Ok(())
}

#[test]
fn files_of_the_database_are_read_where_there_is_no_stayput() -> Result {
    let server = backups_at_a_bare_server("")?;
    types(&server, &[CHOOSE, FILES])?;
    has_the_rows(&server)
}

#[test]
fn packages_that_the_page_names_are_those_of_the_tests() -> Result {
    let typed = commands(CHOOSE)?;
    let named = typed.iter().find(|line| line.starts_with("apt-get"));
    assert_eq!(
        named.map(String::as_str),
        Some("apt-get install age zstd mariadb-server mariadb-backup")
    );
    let fetched = fs::read_dir(fetched_packages("backup")?.join("archives"))?;
    assert!(fetched.count() > 1);
    Ok(())
}
