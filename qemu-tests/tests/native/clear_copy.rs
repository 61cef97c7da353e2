//! The copy that a way back keeps: it is told of until its owner destroys it, also where
//! the data lies elsewhere and the journal is lost.

use qemu_tests::{Container, Output, Result, Suite, search};

use crate::clear::{CANARY, CLEAR, encrypted_clinic, in_a_line};
use crate::clinic::{JOURNAL, has_rows, stayput};
use crate::disks::on_a_disk_of_its_own;

/// Which commands tell of a clear copy.
fn is_told(server: &Container) -> Result {
    for (command, words) in [
        ("status", "CLEAR COPY: A clear copy of the database"),
        ("check", "stayput mariadb destroy-copy"),
        ("audit", "a clear copy of the database is on its disk"),
        ("--json status", "\"clear\": true"),
        ("reset --dry-run", "The clear copy of the database in"),
    ] {
        let said = server.shell(&format!("stayput {command}"))?;
        assert!(in_a_line(&said).contains(words), "{command}: {said}");
    }
    let login = server.shell("cat /run/motd.d/stayput-mariadb")?.success()?;
    assert!(login.contains("destroy-copy"), "{login}");
    Ok(())
}

fn is_told_no_more(server: &Container) -> Result {
    let said = server.shell("stayput status; stayput check; ls /run/motd.d")?;
    for word in ["CLEAR COPY", "destroy-copy", "stayput-mariadb"] {
        assert!(!said.text.contains(word), "{said}");
    }
    Ok(())
}

#[test]
fn clear_copy_is_told_until_its_owner_destroys_it() -> Result {
    let mut server = encrypted_clinic(Suite::Bookworm)?;
    stayput(&server, CLEAR)?.success()?;
    server.sql(&format!(
        "INSERT INTO clinic.patient (name) VALUES ('{CANARY}')"
    ))?;
    let said = stayput(&server, "disable --undo")?.success()?;
    assert!(said.contains("stayput mariadb destroy-copy"), "{said}");
    is_told(&server)?;
    server.shut_down()?;
    server.boot()?;
    has_rows(&server, 5000)?;
    is_told(&server)?;

    // Whoever looks into it stands in the way.
    let copy = "/var/lib/stayput/mariadb.taken-back.*";
    let shell = server.spawn(&format!("cd {copy}/data && exec sleep 100"))?;
    server.shell("sleep 0.5")?;
    let said = stayput(&server, "destroy-copy")?;
    assert!(!said.ok() && said.text.contains("in use"), "{said}");
    drop(shell);
    // Nor is anything destroyed that lacks the mark, or while nothing serves.
    server
        .shell(&format!(
            "while fuser -s {copy}/data 2>/dev/null; do sleep 0.1; done; sleep 0.5; \
             mv {copy}/mark /root/mark"
        ))?
        .success()?;
    let said = stayput(&server, "destroy-copy")?;
    assert!(!said.ok() && said.text.contains("by hand"), "{said}");
    server
        .shell(&format!(
            "mv /root/mark $(echo {copy})/mark && systemctl stop mariadb"
        ))?
        .success()?;
    let said = stayput(&server, "destroy-copy")?;
    assert!(!said.ok() && said.text.contains("does not serve"), "{said}");
    server
        .shell(&format!(
            "test -e {copy}/data/ibdata1 && systemctl start mariadb"
        ))?
        .success()?;
    has_rows(&server, 5000)?;

    stayput(&server, "destroy-copy")?.success()?;
    server.shell(&format!("! ls -d {copy}"))?.success()?;
    is_told_no_more(&server)?;
    has_rows(&server, 5000)?;
    let said = stayput(&server, "destroy-copy")?;
    assert!(!said.ok() && said.text.contains("no kept copy"), "{said}");
    server.shut_down()?;
    let needles = [CANARY.as_bytes().to_vec()];
    assert_eq!(search::found_in(server.disk(), &needles)?, [0; 0]);
    Ok(())
}

#[test]
fn reset_destroys_the_clear_copy_of_a_way_back() -> Result {
    let mut server = encrypted_clinic(Suite::Bookworm)?;
    stayput(&server, CLEAR)?.success()?;
    server.sql(&format!(
        "INSERT INTO clinic.patient (name) VALUES ('{CANARY}')"
    ))?;
    stayput(&server, "disable --undo")?.success()?;
    let said = server.shell("echo clinic | stayput reset")?;
    assert!(said.text.contains("Overwriting the clear copy"), "{said}");
    server.shut_down()?;
    let needles = [CANARY.as_bytes().to_vec()];
    assert_eq!(search::found_in(server.disk(), &needles)?, [0; 0]);
    Ok(())
}

#[test]
fn encrypted_copy_of_a_way_back_is_told_and_removed() -> Result {
    let server = crate::clinic::clinic()?;
    stayput(&server, "enable")?.success()?;
    stayput(&server, "enable --undo")?.success()?;
    let status = server.shell("stayput status")?;
    let said = in_a_line(&status);
    assert!(said.contains("Kept copy: The encrypted copy"), "{status}");
    assert!(!said.contains("CLEAR COPY"), "{status}");
    // The vault gives the keys still, and nothing takes them.
    assert!(!said.contains("gets its keys from here"), "{status}");
    assert!(said.contains("NOT ENCRYPTED"), "{status}");
    stayput(&server, "destroy-copy")?.success()?;
    server
        .shell("! ls -d /var/lib/stayput/mariadb.taken-back.*")?
        .success()?;
    has_rows(&server, 5000)
}

#[test]
fn lost_journal_of_data_elsewhere_hides_no_original() -> Result {
    let server = on_a_disk_of_its_own()?;
    stayput(&server, "enable --destroy-original")?.success()?;
    stayput(&server, CLEAR)?.success()?;
    let kept = "/srv/stayput/mariadb.encrypted/data/ibdata1";
    // A journal that is damaged may still name the data, or not.
    for lose in ["rm", "truncate -s 120", "truncate -s 20"] {
        // It works at the lowest priority, and would take the run up itself.
        let ended = "i=0; while systemctl is-active --quiet stayput-mariadb-original; do \
                     [ $i -lt 300 ] || exit 1; i=$((i+1)); sleep 0.2; done";
        server.shell(ended)?.success()?;
        server
            .shell(&format!("{lose} {JOURNAL} && test -e {kept}"))?
            .success()?;
        for (command, words) in [
            ("status", "was interrupted"),
            ("check", "was interrupted"),
            ("reset --dry-run", "NOT DESTROYED: the database itself"),
            ("uninstall --yes", "was interrupted"),
            ("mariadb enable --yes", "disable --undo"),
            (
                "mariadb disable --key-file /etc/mysql/k --yes",
                "was interrupted",
            ),
            ("mariadb destroy-original --yes", "was interrupted"),
            ("mariadb destroy-copy --yes", "was interrupted"),
        ] {
            server.shell(&format!("{lose} {JOURNAL}"))?;
            let said = server.shell(&format!("stayput {command}"))?;
            assert!(
                in_a_line(&said).contains(words),
                "{lose}, {command}: {said}"
            );
            server.shell(&format!("test -e {kept}"))?.success()?;
        }
        server.shell(&format!("{lose} {JOURNAL}"))?;
        stayput(&server, CLEAR)?.success()?;
        has_rows(&server, 5000)?;
    }
    // Settings that MariaDB may not take: it is found all the same, or nothing is concluded.
    server
        .shell(&format!(
            "rm {JOURNAL} && echo '[nonsense' >/etc/mysql/mariadb.conf.d/99-x.cnf"
        ))?
        .success()?;
    let is_told = |said: &Output| {
        let said = in_a_line(said);
        ["not known", "was interrupted"]
            .iter()
            .any(|words| said.contains(words))
    };
    for command in [
        "mariadb enable --yes",
        "mariadb destroy-original --yes",
        "uninstall --yes",
    ] {
        let said = server.shell(&format!("stayput {command}"))?;
        assert!(!said.ok() && is_told(&said), "{command}: {said}");
    }
    let status = server.shell("stayput status")?;
    assert!(is_told(&status), "{status}");
    server
        .shell(&format!(
            "rm /etc/mysql/mariadb.conf.d/99-x.cnf && test -e {kept}"
        ))?
        .success()?;
    stayput(&server, "disable --undo")?.success()?;
    has_rows(&server, 5000)?;
    let status = server.shell("stayput status")?;
    assert!(
        in_a_line(&status).contains("CLEAR COPY: A clear copy"),
        "{status}"
    );
    server.shell("umount -l /srv")?.success()?;
    let status = server.shell("stayput status")?;
    assert!(
        in_a_line(&status).contains("is its disk mounted?"),
        "{status}"
    );
    Ok(())
}
