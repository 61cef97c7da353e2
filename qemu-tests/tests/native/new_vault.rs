//! Where `stayput init` makes a vault, and what it leaves as it was.

use std::fs;

use qemu_tests::{Container, Output, Result, Scratch, Suite, run};

use crate::plugged::Plugged;

/// A boot loader's partition, data without a name, a swap area, an empty partition
/// and a filesystem.
const DISK: &str = "truncate -s 96M IMAGE && \
    sgdisk -n1:2048:4095 -t1:EF02 -n2:4096:+2M -t2:8300 -n3:0:+2M -t3:8300 \
    -n4:0:+2M -t4:8300 -n5:0:0 -t5:8300 IMAGE >/dev/null && \
    yes 'GRUB core.img' | head -c 1048576 | dd of=IMAGE bs=1M seek=1 conv=notrunc status=none && \
    printf x | dd of=IMAGE bs=1 seek=4000000 conv=notrunc status=none";

fn server_with_disk(scratch: &Scratch) -> Result<(Container, Plugged)> {
    let server = Container::without_vault(Suite::Bookworm)?;
    let image = scratch.join("second.img");
    let make = DISK.replace("IMAGE", &image.display().to_string());
    run("sh", &["-c", &make])?;
    let disk = Plugged::with_partitions(&server, &image, 5)?;
    server
        .shell(&format!(
            "mkswap -q {0}p3 && mkfs.ext4 -q {0}p5 && mkdir -p /mnt/boot",
            disk.device()
        ))?
        .success()?;
    Ok((server, disk))
}

fn init(server: &Container, words: &str) -> Result<Output> {
    server.shell(&format!("stayput init --name clinic --yes --vault {words}"))
}

#[test]
fn only_an_empty_partition_becomes_a_vault() -> Result {
    let scratch = Scratch::new()?;
    let (server, disk) = server_with_disk(&scratch)?;
    let image = scratch.join("second.img");
    run("sync", &[])?;
    let before = fs::read(&image)?;
    for (partition, why) in [
        (1, "it is meant for the boot loader"),
        (2, "it holds data of an unknown kind"),
        (3, "it holds swap"),
        (5, "it holds ext4"),
    ] {
        for force in ["", " --force"] {
            let said = init(&server, &format!("{}p{partition}{force}", disk.device()))?;
            assert!(!said.ok() && said.text.contains(why), "{partition}: {said}");
            run("sync", &[])?;
            assert!(fs::read(&image)? == before, "{partition} was written");
        }
    }
    init(&server, &format!("{}p4", disk.device()))?.success()?;
    server.shell("stayput status")?.success()?;
    // Its owner says that nobody needs what is in it.
    let name = format!("sgdisk --change-name=2:stayput {}", disk.device());
    server
        .shell(&format!("{name} >/dev/null; rm -r /etc/stayput"))?
        .success()?;
    disk.read_table(&server, 5)?;
    init(&server, &format!("{}p2", disk.device()))?.success()?;
    Ok(())
}

#[test]
fn a_vault_in_a_file_is_made_anew_when_its_owner_says_so() -> Result {
    let scratch = Scratch::new()?;
    let (server, disk) = server_with_disk(&scratch)?;
    let mount = format!("mount {}p5 /mnt/boot", disk.device());
    server.shell(&mount)?.success()?;
    let file = "/mnt/boot/stayput.vault";
    let id = "grep ^server= /etc/stayput/vault.conf";
    init(&server, file)?.success()?;
    let first = server.shell(id)?.success()?;

    let refused = |words: &str| -> Result {
        let said = init(&server, words)?;
        let is_told = said
            .text
            .contains("There is a vault already, of the server \"clinic\"");
        assert!(!said.ok() && is_told, "{said}");
        Ok(())
    };
    refused(file)?;
    init(&server, &format!("{file} --force"))?.success()?;
    assert_ne!(server.shell(id)?.success()?, first);

    // The power went before vault.conf was written: nothing has its key.
    let forget = "rm -r /etc/stayput";
    server.shell(forget)?.success()?;
    init(&server, file)?.success()?;
    // One that was used is somebody's.
    server.shell("stayput policy --wait 30")?.success()?;
    let used = server.shell(id)?.success()?;
    server.shell(forget)?.success()?;
    let said = init(&server, file)?;
    let way_back = format!("stayput init --adopt {file}");
    assert!(!said.ok() && said.text.contains(&way_back), "{said}");
    assert!(!said.text.contains("--force"), "{said}");
    let said = server.shell(&way_back)?.success()?;
    assert!(said.contains("stayput install"), "{said}");
    assert_eq!(server.shell(id)?.success()?, used);
    server.shell("stayput status")?.success()?;
    refused(file)?;
    server.shell(forget)?.success()?;
    init(&server, &format!("{file} --force"))?.success()?;
    server.shell("stayput status")?.success()?;

    // What is no vault stays.
    let foreign = "/mnt/boot/notes";
    server
        .shell(&format!("rm -r /etc/stayput; echo notes >{foreign}"))?
        .success()?;
    let said = init(&server, &format!("{foreign} --force"))?;
    assert!(!said.ok() && said.text.contains("no vault"), "{said}");
    server.shell(&format!("grep notes {foreign}"))?.success()?;
    server.shell("umount /mnt/boot")?.success()?;
    Ok(())
}
