//! `stayput mariadb enable` on a real machine: the power goes, and the server
//! starts through initramfs, key and gate; and where its keys must not get.
//! What needs no machine is in `tests/native`.

use qemu_tests::{
    DebianMachine, Filesystem, Place, Result, Stick, System, minutes, search, seconds,
    shipped_binary,
};

/// Stands in a table of the old server; afterwards nowhere on the disk.
const CANARY: &str = "Halima Okello 4471 sickle cell";

/// What a clinic has gathered: each kind of table, account and program.
const YEARS: &str = include_str!("../native/years.sql");

/// What must be the same before and after, rows and all.
const SAME: &str = "CHECKSUM TABLE clinic.patient, clinic.visit, clinic.old, \
     clinic.kept, clinic.change_log EXTENDED; \
     SELECT COUNT(*) FROM clinic.kept FOR SYSTEM_TIME ALL; \
     SELECT SUM(weight) FROM clinic.patient; SELECT * FROM clinic.`we``ird na.me`; \
     SHOW GRANTS FOR nurse; SELECT definer, action_statement FROM information_schema.triggers WHERE trigger_name = 'noted'; \
     SELECT event_name, starts FROM information_schema.events; \
     SELECT COUNT(*) FROM clinic.heavy; CALL clinic.count_them()";

const ORIGINAL: &str = "/var/lib/stayput/mariadb.original";

/// A server with years of data, not encrypted, and what `SAME` says of it.
/// The boot stage is in its initramfs: what that wrote to the disk, and the
/// years before it, is there for good. From here on nothing of the tests'
/// tells the disk to keep anything.
fn server_of_years(home: &Place) -> Result<(DebianMachine, String)> {
    let mut server = DebianMachine::fresh(System::USUAL)?;
    server.boot_at(home)?;
    server.wait_for_database()?;
    let years = YEARS.replace("CANARY", CANARY);
    server
        .shell(&format!("mariadb <<'END'\n{years}\nEND"))?
        .success()?;
    let stick = Stick::partitioned(Filesystem::Vfat)?;
    for name in ["stayput", "stayput-boot"] {
        stick.write(name, &std::fs::read(shipped_binary(name)?)?)?;
    }
    let id = server.plug(&stick)?;
    server.wait_for_device("/dev/sda1")?;
    server
        .shell_within(
            "mkdir /root/programs && mount /dev/sda1 /mnt && \
             install /mnt/stayput /mnt/stayput-boot /root/programs && umount /mnt && \
             cd /root/programs && ./stayput init --name clinic --disk /dev/vda --yes && \
             ./stayput install",
            minutes(5),
        )?
        .success()?;
    server.unplug(&id)?;
    let before = server.sql(SAME)?;
    Ok((server, before))
}

/// Starts an `enable`, and comes back when it says `word` at its work on the
/// stopped server.
fn enable_until(server: &mut DebianMachine, word: &str) -> Result {
    let log = "/var/log/stayput-mariadb-enable.log";
    server
        .shell_within(
            &format!(
                "(stayput mariadb enable --yes >/run/enable.log 2>&1; echo $? >/run/ended) & \
                 until grep -q '{word}' {log} 2>/dev/null; do \
                 [ ! -e /run/ended ] || {{ cat /run/enable.log; exit 1; }}; sleep 0.1; done"
            ),
            minutes(9),
        )?
        .success()?;
    Ok(())
}

#[test]
fn server_of_years_is_encrypted_whole_after_two_power_cuts() -> Result {
    let home = Place::home()?;
    let (mut server, before) = server_of_years(&home)?;

    // The power goes while the stopped server is copied: it is there again.
    enable_until(&mut server, "Comparing the copy")?;
    server.power_cut();
    server.boot_at(&home)?;
    server.wait_for_database()?;
    assert_eq!(server.sql(SAME)?, before);

    // It goes again as soon as all is done.
    let said = server
        .shell_within("stayput mariadb enable --yes", minutes(9))?
        .success()?;
    for word in [
        "was interrupted",
        "`clinic`.`old`",
        "ENGINE=InnoDB",
        ORIGINAL,
    ] {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    server.power_cut();

    // A real boot: initramfs, key, gate, unit. The original goes after it.
    server.boot_at(&home)?;
    server.wait_for_database()?;
    assert_eq!(server.sql(SAME)?, before);
    let gone = format!(
        "i=0; while [ -e {ORIGINAL} ]; do [ $i != 600 ] || \
         {{ journalctl -u stayput-mariadb-original -o cat --no-pager; exit 1; }}; \
         sleep 0.5; i=$((i+1)); done"
    );
    server.shell_within(&gone, minutes(6))?.success()?;
    let seen = server.shell("ls /var/lib/stayput")?.success()?;
    assert_eq!(seen, "mariadb\nmariadb.check\n");

    server.sql(
        "INSERT INTO clinic.old VALUES (2, 'a note in the clear 5512'); FLUSH TABLES clinic.old",
    )?;
    server.shut_down()?;
    let needles = [
        b"a note in the clear 5512".to_vec(),
        CANARY.as_bytes().to_vec(),
    ];
    // The first shows that the search finds what is there to find.
    assert_eq!(search::found_in(server.disk(), &needles)?, [0]);
    Ok(())
}

#[test]
fn keys_never_get_into_swap_and_clear_swap_is_replaced() -> Result {
    let scratch = qemu_tests::Scratch::new()?;
    let swap = scratch.join("swap.img");
    std::fs::File::create(&swap)?.set_len(512 << 20)?;
    let home = Place::home()?;
    let mut server = DebianMachine::installed(System::USUAL, &mut |_| ())?;
    server.more_disks.push(swap.clone());
    server.boot_at(&home)?;
    server.wait_for_database()?;

    // Each danger is refused in words, before anything is changed.
    for (danger, undo, why) in [
        (
            "mkswap /dev/vdb && swapon /dev/vdb",
            "swapoff /dev/vdb",
            "swap on /dev/vdb is not encrypted",
        ),
        (
            "echo '/dev/vdb none swap sw 0 0' >>/etc/fstab",
            "sed -i /vdb/d /etc/fstab",
            "/etc/fstab swaps to /dev/vdb",
        ),
        (
            "modprobe zram && cd /sys/block/zram0 && echo /dev/vdb >backing_dev && \
             echo 64M >disksize && mkswap /dev/zram0 && swapon /dev/zram0",
            "swapoff /dev/zram0 && echo 1 >/sys/block/zram0/reset && rmmod zram",
            "swap on /dev/zram0 is written out to /dev/vdb, not encrypted",
        ),
        (
            "mkfs.ext4 -q /dev/vdb && mount /dev/vdb /mnt && fallocate -l 64M /mnt/swap && \
             chmod 600 /mnt/swap && mkswap /mnt/swap && swapon /mnt/swap",
            "swapoff /mnt/swap && umount /mnt",
            "swap on /mnt/swap is not encrypted",
        ),
        (
            "echo RESUME=/dev/vdb >/etc/initramfs-tools/conf.d/resume",
            "rm /etc/initramfs-tools/conf.d/resume",
            "hibernation is set up",
        ),
        (
            "echo USE_KDUMP=1 >/etc/default/kdump-tools",
            "rm /etc/default/kdump-tools",
            "crash dumps are set up",
        ),
    ] {
        server.shell(danger)?.success()?;
        let output = server.shell("stayput mariadb enable --yes")?;
        assert!(
            !output.ok() && output.text.contains(why),
            "{danger}: {output}"
        );
        server.shell(undo)?.success()?;
    }

    // Swap that stays in memory or is encrypted is none: on a LUKS volume, in a
    // file on one, and by its UUID in fstab.
    server
        .shell(
            "set -e; modprobe zram; echo 64M >/sys/block/zram0/disksize; mkswap /dev/zram0; \
             swapon /dev/zram0; \
             key=$(od -An -N64 -tx1 /dev/urandom | tr -d ' \\n'); \
             half=$(($(blockdev --getsz /dev/vdb) / 2)); \
             for part in 0 1; do \
             echo \"0 $half crypt aes-xts-plain64 $key 0 /dev/vdb $((part * half))\" | \
             dmsetup create luks$part --uuid CRYPT-LUKS2-$part-luks$part; done; \
             mkswap /dev/mapper/luks0; swapon /dev/mapper/luks0; udevadm settle; \
             echo \"UUID=$(blkid -s UUID -o value /dev/mapper/luks0) none swap sw 0 0\" >>/etc/fstab; \
             mkfs.ext4 -q /dev/mapper/luks1; mount /dev/mapper/luks1 /mnt; \
             fallocate -l 64M /mnt/swap; chmod 600 /mnt/swap; mkswap /mnt/swap; swapon /mnt/swap",
        )?
        .success()?;
    let rehearsed = server.shell_within("stayput mariadb enable --dry-run", minutes(5))?;
    assert!(rehearsed.ok(), "{rehearsed}");
    server
        .shell(
            // udev looks at each device once more when it is closed.
            "set -e; swapoff -a; umount /mnt; sed -i /swap/d /etc/fstab; udevadm settle; \
             for part in 0 1; do dmsetup remove --retry luks$part || \
             { dmsetup info luks$part; swapon --show; ps ax; exit 1; }; done; \
             echo 1 >/sys/block/zram0/reset; rmmod zram",
        )?
        .success()?;

    // The owner adds swap later, and memory runs short: the kernel is told to
    // reclaim all it can from the database and from an ordinary program, and
    // nearly half of the memory is filled besides.
    let control = "a secret of an ordinary program 8823";
    server
        .shell(&format!(
            "mkswap /dev/vdb && swapon /dev/vdb && sysctl -w vm.swappiness=200 && \
             systemd-run --unit=control sh -c 'secret=\"{control}\"; while :; do sleep 1000; done'"
        ))?
        .success()?;
    let pressed = server.shell_within(
        "for i in 1 2 3; do \
         for unit in control mariadb; do \
         echo 1G >/sys/fs/cgroup/system.slice/$unit.service/memory.reclaim; done; \
         fallocate -l 350M /dev/shm/full; sleep 1; rm -f /dev/shm/full; done 2>/dev/null; \
         sync; grep -h VmSwap /proc/$(systemctl show -P MainPID control)/status",
        minutes(9),
    )?;
    assert!(
        pressed.ok() && !pressed.text.contains(" 0 kB"),
        "an ordinary program is swapped: {pressed}"
    );
    let used = server
        .shell("grep VmSwap /proc/$(pidof mariadbd)/status")?
        .success()?;
    assert!(used.contains(" 0 kB"), "mariadbd was swapped: {used}");
    std::thread::sleep(seconds(2));
    // What they are is asked only after the swap is copied: the question itself
    // puts them into memory that can be swapped.
    let kept = scratch.join("swap.kept");
    std::fs::copy(&swap, &kept)?;
    let mut needles = vec![control.as_bytes().to_vec()];
    for key in server.released_keys()? {
        needles.extend(search::forms_of(&key));
    }
    assert_eq!(
        needles.len(),
        7,
        "two keys in three forms each, and the control"
    );
    assert_eq!(search::found_in(&kept, &needles)?, [0]);

    // The owner has it replaced: what was in it is overwritten.
    server
        .shell(
            "swapoff /dev/vdb && echo '/dev/vdb none swap sw 0 0' >>/etc/fstab \
             && echo 'what was swapped out 6617' | dd of=/dev/vdb bs=1M seek=32 conv=notrunc \
             && sync && swapon /dev/vdb",
        )?
        .success()?;
    let said = server
        .shell_within("stayput mariadb enable --yes --swap zram", minutes(5))?
        .success()?;
    assert!(said.contains("Switching off swap on /dev/vdb"), "{said}");
    let swaps = server.shell("cat /proc/swaps; grep swap /etc/fstab")?.text;
    assert!(
        swaps.contains("/dev/zram0") && !swaps.contains("\n/dev/vdb"),
        "{swaps}"
    );
    server.power_cut();
    let needles = [control.into(), b"what was swapped out 6617".to_vec()];
    assert_eq!(search::found_in(&swap, &needles)?, [0; 0]);
    server.boot_at(&home)?;
    server.wait_for_database()?;
    let swaps = server.shell("cat /proc/swaps")?.text;
    assert!(
        swaps.contains("/dev/zram0") && !swaps.contains("vdb"),
        "{swaps}"
    );
    Ok(())
}
