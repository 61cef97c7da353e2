//! What changes at home, and what is written down about it: the margin, the
//! log's seal, the audit.

use qemu_tests::seen::assert_released;
use qemu_tests::{FastMachine, Neighbour, Place, Result};

/// Bends the time of the first event in the record of the newest ones, in both
/// copies, and makes its digest fit again, as somebody would who knows the
/// format: block 3, 4096 bytes, the head's digest at 32, the payload at 64.
const EDIT_THE_LOG: &str = r#"
dd if=/dev/vda2 of=/b bs=4096 skip=3 count=1 2>/dev/null
length=$(od -An -tu2 -j16 -N2 /b | tr -d ' ')
byte=$(od -An -tu1 -j98 -N1 /b | tr -d ' ')
printf "\\$(printf %03o $((byte ^ 1)))" | dd of=/b bs=1 seek=98 conv=notrunc 2>/dev/null
digest=$( (head -c 32 /b; dd if=/b bs=1 skip=64 count=$length 2>/dev/null) | sha256sum | cut -c1-64)
printf "$(echo $digest | sed 's/../\\x&/g')" | dd of=/b bs=1 seek=32 conv=notrunc 2>/dev/null
for block in 3 123; do
    dd if=/b of=/dev/vda2 bs=4096 seek=$block conv=notrunc 2>/dev/null
done
sync
"#;

#[test]
fn a_replaced_router_uses_the_margin_and_a_refresh_mends_it() -> Result {
    let home = Place::home()?;
    home.replace(&Neighbour::new("192.168.77.1", "00:26:f2:90:00:01"))?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    machine.put_card_up()?;
    // Whoever logs in reads it.
    let words = machine.shell("cat /run/motd.d/stayput")?.success()?;
    assert!(words.contains("the next start wants a stick"), "{words}");
    let status = machine.shell("stayput status")?.success()?;
    assert!(status.contains("Margin: USED UP"), "{status}");
    assert!(status.contains("changed: arp 192.168.77.1"), "{status}");
    let json = machine.shell("stayput status --json")?.success()?;
    assert!(json.contains("\"used_up\": true"), "{json}");

    let said = machine
        .shell("stayput enroll --refresh --yes && sync")?
        .success()?;
    assert!(
        said.contains("arp 192.168.77.1 (00:26:f2:90:00:01): changed"),
        "{said}"
    );
    let status = machine.shell("stayput status")?.success()?;
    assert!(status.contains("Margin: "), "{status}");
    assert!(!status.contains("USED UP"), "{status}");
    assert!(!machine.shell("test -e /run/motd.d/stayput")?.ok());

    // Where the neighbours' addresses stand on the disk.
    machine
        .shell("mkdir -p /var/log && echo '00:11:32:8C:20:02' >/var/log/leases")?
        .success()?;
    let audit = machine.shell("stayput audit --all")?.success()?;
    // There is no MariaDB on this machine.
    assert!(audit.contains("NOT COVERED  only its disk"), "{audit}");
    assert!(
        audit.contains("/var/log/leases: arp 192.168.77.2"),
        "{audit}"
    );

    let log = machine.shell("stayput log --verify")?.success()?;
    assert!(log.contains("whole, as sealed"), "{log}");
    machine.shell(EDIT_THE_LOG)?.success()?;
    let edited = machine.shell("stayput log --verify")?;
    assert!(!edited.ok(), "{edited}");
    assert!(
        edited.text.contains("CHANGED since they were sealed"),
        "{edited}"
    );

    // The new router counts now: another neighbour may be off. An edited log
    // keeps nobody out, and the next unlock does not hide it.
    home.remove("192.168.77.3")?;
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let log = machine.shell("stayput log")?.success()?;
    assert!(log.contains("The log before this did not prove"), "{log}");
    Ok(())
}
