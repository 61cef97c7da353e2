//! What the programs of a whole Debian write down of the place, and what the audit
//! finds of it.

use qemu_tests::{Container, Result, Suite};

use crate::readme::CABLE;

/// The router's hardware address within so much else that the journal packs it.
const LOGGED: &str = "logger --size 8192 -t dhcp \"$(seq 1000 1300 | tr '\\n' ' ') is at 00:0d:b9:77:00:01 \
                      $(seq 2000 2300 | tr '\\n' ' ')\"; journalctl --sync; journalctl --rotate";

#[test]
fn packed_journal_and_forgotten_backup_give_the_router_away() -> Result {
    let server = Container::fresh(Suite::Bookworm)?;
    server.shell(CABLE)?.success()?;
    server
        .shell("stayput enroll --yes --neighbour 192.168.77.1")?
        .success()?;
    let audit = server.shell("stayput audit --all")?.success()?;
    assert!(!audit.contains(": arp 192.168.77.1"), "{audit}");

    server
        .shell("mkdir -p /var/log/journal; journalctl --flush")?
        .success()?;
    server.shell(LOGGED)?.success()?;
    let plain = "grep -rqa 00:0d:b9:77:00:01 /var/log/journal";
    assert!(!server.shell(plain)?.ok(), "it is packed");
    let logged = "journalctl -t dhcp | grep -q 00:0d:b9:77:00:01";
    server.shell(logged)?.success()?;
    server
        .shell(
            "mkdir -p /data && ln -s /data /srv/old && echo 00-0D-B9-77-00-01 >/data/list && \
             cd /data && tar -czf notes list && rm list",
        )?
        .success()?;
    let audit = server.shell("stayput audit --all")?.success()?;
    for file in ["/var/log/journal/", "/data/notes"] {
        let line = audit.lines().find(|line| line.contains(file));
        let tells = line.is_some_and(|line| line.ends_with(": arp 192.168.77.1"));
        assert!(tells, "{file}: {audit}");
    }
    assert!(audit.contains("1 of 1 neighbours' addresses"), "{audit}");
    Ok(())
}
