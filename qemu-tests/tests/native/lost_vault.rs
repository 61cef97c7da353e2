//! The vault is lost while the data is not: a stick or the code makes it anew, and
//! MariaDB gets the keys that it had.

use qemu_tests::{Container, Output, RecoveryCode, Result, Scratch, Suite};

use crate::clinic::{fill, has_rows, stayput};
use crate::readme::plug;

const PIN: &str = "4711-0815";
const VAULT: &str = "/dev/loop*p2";
const KEYS: &str = "/run/stayput/mariadb.keys";

/// What MariaDB was given.
fn keys(server: &Container) -> Result<String> {
    server.shell(&format!("cat {KEYS}"))?.success()
}

/// Nothing of the vault is left, as after a disk that has died.
fn lose_the_vault(server: &mut Container) -> Result {
    server
        .shell(&format!(
            "dd if=/dev/zero of=$(echo {VAULT}) bs=4096 count=240 conv=notrunc,fsync status=none && \
             mkdir -p /root/before && cp -a /etc/stayput/. /root/before && sync"
        ))?
        .success()?;
    server.power_cut();
    server.boot_locked()?;
    assert!(
        !server
            .shell(&format!("pidof mariadbd || test -e {KEYS}"))?
            .ok()
    );
    Ok(())
}

/// Nobody has written to the vault's partition, nor to vault.conf.
fn nothing_was_made(server: &Container) -> Result {
    server
        .shell(&format!(
            "cmp -n 983040 $(echo {VAULT}) /dev/zero && diff -r /root/before /etc/stayput"
        ))?
        .success()?;
    Ok(())
}

fn init(server: &Container, typed: &str, options: &str) -> Result<Output> {
    server.shell(&format!(
        "echo '{typed}' | stayput init --vault $(echo {VAULT}) --yes {options}"
    ))
}

#[test]
fn data_opens_again_when_the_vault_was_lost() -> Result {
    let scratch = Scratch::new()?;
    let mut server = Container::fresh(Suite::Bookworm)?;
    server.wait_for_database()?;
    fill(&server)?;
    let stick = plug(&server, &scratch)?;
    server
        .shell(&format!(
            "echo {PIN} | stayput stick make /dev/sdb1 --label office --pin-stdin"
        ))?
        .success()?;
    stayput(&server, "enable")?.success()?;
    let code = RecoveryCode::written_down_in(&server, "bank safe")?;
    let before = keys(&server)?;
    let id = server.shell("sed -n s/^server=//p /etc/stayput/vault.conf")?;
    let id = id.success()?;
    drop(stick);

    lose_the_vault(&mut server)?;
    let status = server.shell("stayput status")?;
    assert!(
        status.text.contains("stayput init --from-stick"),
        "{status}"
    );
    assert!(!status.text.contains("connected"), "{status}");
    let stick = plug(&server, &scratch)?;
    let by_stick = "--from-stick /dev/sdb1 --pin-stdin";
    let wrong = init(&server, "4711-0816", by_stick)?;
    assert_eq!(wrong.status, 3, "{wrong}");
    nothing_was_made(&server)?;
    let said = init(&server, PIN, by_stick)?.success()?;
    assert!(said.contains("stayput enroll"), "{said}");
    let again = init(&server, PIN, by_stick)?;
    assert_eq!(again.status, 4, "it is there: {again}");
    server.shell("stayput release")?.success()?;
    assert_eq!(keys(&server)?, before);
    server.shell("systemctl start mariadb")?.success()?;
    has_rows(&server, 5000)?;
    let list = server.shell("stayput --json stick list")?.success()?;
    assert!(list.contains("\"label\": \"office\""), "{list}");
    let verify = format!("echo {PIN} | stayput stick verify /dev/sdb1 --pin-stdin");
    server.shell(&verify)?.success()?;
    drop(stick);
    server.shut_down()?;
    // The next boot opens the new vault.
    server.boot()?;
    has_rows(&server, 5000)?;
    assert_eq!(keys(&server)?, before);

    // Nor is there a stick.
    lose_the_vault(&mut server)?;
    let letters = code.groups().concat();
    let mistyped = letters.replacen(
        &letters[..1],
        if letters.starts_with('c') { "v" } else { "c" },
        1,
    );
    let by_code = "--from-code --passphrase-stdin";
    let wrong = init(&server, &mistyped, by_code)?;
    assert_eq!(wrong.status, 3, "{wrong}");
    assert!(wrong.text.contains("Look at group 1 again"), "{wrong}");
    nothing_was_made(&server)?;
    // The system is a new one as well: nothing here tells whose the code is.
    server.shell("rm /etc/stayput/vault.conf")?.success()?;
    let unknown = init(&server, &letters, by_code)?;
    assert_eq!(unknown.status, 2, "{unknown}");
    let named = format!("{by_code} --server {}", id.trim());
    init(&server, &letters, &named)?.success()?;
    server.shell("stayput release")?.success()?;
    assert_eq!(keys(&server)?, before);
    server.shell("systemctl start mariadb")?.success()?;
    has_rows(&server, 5000)
}
