//! Backup jobs as people write them.

use super::matcher::{Sort, matches};
use super::*;
use std::fs;

const DATA: &str = "/var/lib/mysql";

fn found(sort: Sort, text: &str) -> Vec<(usize, Covers)> {
    let found = matches(sort, text, Path::new(DATA));
    found
        .into_iter()
        .map(|(line, covers, _)| (line, covers))
        .collect()
}

fn one(sort: Sort, line: &str) -> Option<Covers> {
    found(sort, line).first().map(|(_, covers)| *covers)
}

#[test]
fn a_copy_of_the_data_directory_is_found_however_written() {
    for line in [
        "0 3 * * * root tar czf /srv/db.tgz /var/lib/mysql",
        "rsync -a --delete /var/lib/mysql/ backup@nas:/mysql/",
        "cp -al '/var/lib/mysql' /srv/daily.0",
        "restic backup \"/var/lib/mysql/clinic\"",
        "cd /var/lib && tar cf - mysql | ssh nas 'cat > db.tar'",
        "tar -C /var/lib -czf /srv/db.tgz mysql/",
        "rsync -a /etc /var//lib/./mysql nas:",
        "tar czf x.tgz --exclude=/var/log /var/lib/mysql",
    ] {
        assert_eq!(one(Sort::Script, line), Some(Covers::Data), "{line}");
    }
    for line in [
        "  File = /var/lib/mysql",
        "  - /var/lib/mysql",
        "backup\t/var/lib/mysql/\tlocalhost/",
        "$Conf{RsyncShareName} = ['/etc', '/var/lib/mysql'];",
        "path = /var/lib/mysql",
        "include = /var/lib/mysql",
    ] {
        assert_eq!(one(Sort::Configuration, line), Some(Covers::Data), "{line}");
    }
    let script = "#!/bin/sh\nSRC=/var/lib/mysql\nsystemctl stop mariadb\ntar czf /srv/a $SRC\n";
    assert_eq!(found(Sort::Script, script), [(2, Covers::Data)]);
}

#[test]
fn a_backup_of_the_whole_system_is_told_more_softly() {
    for line in [
        "borg create -x /srv/repo::{now} /",
        "rsync -a /var/lib/ nas:/lib/",
        "tar czf /mnt/all.tgz /etc /home /var",
        "rsync -a /var/lib/{mysql,redis} nas:",
        "tar cf x /var/lib/*",
    ] {
        assert_eq!(one(Sort::Script, line), Some(Covers::System), "{line}");
    }
    assert_eq!(one(Sort::Configuration, "  File = /"), Some(Covers::System));
    assert_eq!(one(Sort::Configuration, "- /var"), Some(Covers::System));
}

#[test]
fn what_copies_no_data_is_not_told() {
    for line in [
        "# tar czf x /var/lib/mysql",
        "du -sh /var/lib/mysql",
        "17 * * * * root cd / && run-parts --report /etc/cron.hourly",
        "mariadb-dump --socket=/var/lib/mysql/mysql.sock -A > backup.sql",
        "rsync -a nas:/var/lib/mysql /srv/of-the-other-server",
        "rsync -a /var/lib/mysql-files nas:",
        "tar czf x /home --exclude=/var/lib/mysql",
        "rsync -a --exclude /var/lib/mysql / nas:",
        "rsync -a /srv/var/lib/mysql nas:",
        "tar cf x /var/lib/stayput/mariadb",
    ] {
        assert_eq!(one(Sort::Script, line), None, "{line}");
    }
    let unit = "[Service]\nReadWritePaths=/var/lib/mysql\nExecStart=/usr/bin/rsync /etc nas:\n";
    assert_eq!(found(Sort::Unit, unit), []);
    let unit = "[Service]\nExecStart=/usr/bin/rsync -a /var/lib/mysql nas:\n";
    assert_eq!(found(Sort::Unit, unit), [(2, Covers::Data)]);
}

#[test]
fn a_list_of_what_is_left_out_is_no_source() {
    let borgmatic = "source_directories:\n    - /home\nexclude_patterns:\n    - /var/lib/mysql\n\
                     retention:\n    keep_daily: 7\n";
    assert_eq!(found(Sort::Configuration, borgmatic), []);
    let borgmatic = "exclude_patterns:\n    - /var/lib/docker\nsource_directories:\n    - /var\n";
    assert_eq!(found(Sort::Configuration, borgmatic), [(4, Covers::System)]);
    let bacula = "FileSet {\n Include {\n  File = /home\n }\n Exclude {\n  File = /var/lib/mysql\n \
                  }\n}\nFileSet {\n Include {\n  File = /var/lib/mysql\n }\n}\n";
    assert_eq!(found(Sort::Configuration, bacula), [(11, Covers::Data)]);
}

struct Machine(tempfile::TempDir);

impl Machine {
    fn with(files: &[(&str, &str)]) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = machine.0.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        machine
    }

    fn look(&self) -> Vec<(Covers, String, usize)> {
        let found = find_cold_backups(self.0.path(), Path::new(DATA));
        found
            .into_iter()
            .map(|found| (found.covers, found.file.display().to_string(), found.line))
            .collect()
    }
}

#[test]
fn jobs_are_found_where_debian_keeps_them() {
    let secret = "s3cret";
    let job = format!("PASS={secret}\n0 3 * * * tar czf x /var/lib/mysql # {secret}\n");
    let machine = Machine::with(&[
        ("/var/spool/cron/crontabs/root", &job),
        (
            "/etc/bareos/bareos-dir.d/fileset/db.conf",
            "File = /var/lib\n",
        ),
        (
            "/etc/systemd/system/copy.service",
            "[Service]\nExecStart=rsync /var/lib/mysql x:\n",
        ),
        (
            "/etc/systemd/system/mariadb.service.d/x.conf",
            "ExecStartPre=cp -a /var/lib/mysql /x\n",
        ),
        (
            "/etc/borgmatic/config.yaml",
            "source_directories:\n  - /var/lib/mysql\n",
        ),
    ]);
    let expected = [
        (Covers::Data, "/etc/borgmatic/config.yaml", 2),
        (Covers::Data, "/etc/systemd/system/copy.service", 2),
        (Covers::Data, "/var/spool/cron/crontabs/root", 2),
        (
            Covers::System,
            "/etc/bareos/bareos-dir.d/fileset/db.conf",
            1,
        ),
    ];
    let expected = expected.map(|(covers, file, line)| (covers, file.to_owned(), line));
    assert_eq!(machine.look(), expected);
    let found = find_cold_backups(machine.0.path(), Path::new(DATA));
    let said = format!("{:?} {found:?}", sentences(&found));
    assert!(!said.contains(secret), "{said}");
    assert!(
        said.contains("/var/spool/cron/crontabs/root line 2"),
        "{said}"
    );
}

#[test]
fn a_script_that_a_job_runs_is_read_too() {
    let machine = Machine::with(&[
        ("/etc/crontab", "0 3 * * * root /root/nightly.sh --quiet\n"),
        ("/root/nightly.sh", "#!/bin/sh\n/usr/local/bin/db-copy\n"),
        (
            "/usr/local/bin/db-copy",
            "rsync -a --delete /var/lib/mysql/ /srv/db/\n",
        ),
        ("/root/unused.sh", "rsync -a /var/lib/mysql /srv\n"),
    ]);
    let expected = (Covers::Data, "/usr/local/bin/db-copy".to_owned(), 1);
    assert_eq!(machine.look(), [expected]);
    // One that runs itself ends.
    let machine = Machine::with(&[("/etc/cron.d/x", "* * * * * root /etc/cron.d/x tar /\n")]);
    assert_eq!(machine.look().len(), 1);
}

#[test]
fn a_directory_of_anything_is_looked_at_with_bounds() {
    let long = "x".repeat(300 << 10) + "\ntar c /var/lib/mysql\n";
    let machine = Machine::with(&[
        ("/etc/cron.daily/large", &long),
        ("/etc/cron.daily/program", "\0tar c /var/lib/mysql\n"),
        ("/etc/bacula/1/2/3/4/5/deep.conf", "File = /var/lib/mysql\n"),
    ]);
    nix::unistd::mkfifo(
        &machine.0.path().join("etc/cron.daily/pipe"),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .unwrap();
    assert_eq!(machine.look(), []);
    assert_eq!(Machine::with(&[]).look(), []);
}
