//! An image of the disk from before a new key is put back: what has the later key is not
//! written over, and gives it to the old vault.

use qemu_tests::{Container, Result, Scratch, Suite};

use crate::readme::plug;

const PIN: &str = "4711-0815";
const VAULT: &str = "/dev/loop*p2";

#[test]
fn an_old_image_of_the_vault_takes_a_sticks_later_key() -> Result {
    let scratch = Scratch::new()?;
    let server = Container::fresh(Suite::Bookworm)?;
    let stick = plug(&server, &scratch)?;
    let with_pin = |command: &str| server.shell(&format!("echo {PIN} | stayput {command}"));
    with_pin("stick make /dev/sdb1 --label office --pin-stdin")?.success()?;
    server
        .shell(&format!(
            "dd if=$(echo {VAULT}) of=/root/old.img bs=4096 count=240 status=none"
        ))?
        .success()?;
    let replaced = server.shell("stayput rekey --yes --yes")?.success()?;
    assert!(replaced.contains("\"office\" has it too"), "{replaced}");
    let verify = "stick verify /dev/sdb1 --pin-stdin";
    let renewed = with_pin(verify)?.success()?;
    assert!(renewed.contains("key file on it was renewed"), "{renewed}");
    let status = server.shell("stayput rekey --status")?.success()?;
    assert!(status.contains("stick \"office\""), "{status}");
    assert!(!status.contains("as it was under"), "{status}");

    server
        .shell(&format!(
            "dd if=/root/old.img of=$(echo {VAULT}) bs=4096 conv=notrunc,fsync status=none"
        ))?
        .success()?;
    let refused = with_pin(verify)?;
    assert_eq!(refused.status, 4, "{refused}");
    assert!(refused.text.contains("old copy of the vault"), "{refused}");
    let refused = server.shell("stayput stick renew")?;
    assert!(!refused.ok(), "{refused}");
    assert!(refused.text.contains("rekey --adopt"), "{refused}");
    let told = server.shell("stayput check")?;
    assert!(told.text.contains("old copy of the vault"), "{told}");

    let adopted = with_pin("rekey --adopt /dev/sdb1 --pin-stdin --yes --yes")?.success()?;
    assert!(adopted.contains("it is number 2"), "{adopted}");
    with_pin(verify)?.success()?;
    let told = server.shell("stayput check")?;
    assert!(!told.text.contains("old copy of the vault"), "{told}");
    drop(stick);
    Ok(())
}
