//! The package on whole servers: whatever apt and dpkg do with it, the server starts by
//! itself after it. `qemu-tests/matrix` runs these, for each initramfs is made in an
//! emulated machine; what needs no boot stands in `native/package.rs`.

use qemu_tests::{
    DebianMachine, FILL_BOOT, Filesystem, MAKE_NEWER_PACKAGE, Place, Result, Stick, System,
    debian_package, make_kernel_package, minutes,
};

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn with_initramfs_tools_each_state_of_the_package_boots() -> Result {
    each_state_of_the_package_boots(System::USUAL)
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn with_dracut_each_state_of_the_package_boots() -> Result {
    each_state_of_the_package_boots(System::WITH_DRACUT)
}

fn each_state_of_the_package_boots(system: System) -> Result {
    let home = Place::home()?;
    let mut server = DebianMachine::installed(system, &mut |_| ())?;
    server.boot_at(&home)?;
    server.wait_for_database()?;
    bring_packages(&mut server)?;

    // Over what was installed by hand.
    dpkg(&mut server, "-i /root/stayput.deb")?;
    starts_with_its_key(&mut server, &home)?;
    // An upgrade, and the same once more.
    dpkg(&mut server, "-i /root/newer.deb")?;
    starts_with_its_key(&mut server, &home)?;
    dpkg(&mut server, "-i /root/newer.deb")?;
    starts_with_its_key(&mut server, &home)?;

    a_new_kernel_on_a_full_boot(&mut server, &home)?;

    // The power goes when it is unpacked and nothing more.
    dpkg(&mut server, "--unpack /root/newer.deb")?;
    server.shell("sync")?.success()?;
    server.power_cut();
    server.boot_at(&home)?;
    has_its_key(&mut server)?;
    assert_eq!(state(&mut server)?, "iU");
    dpkg(&mut server, "--configure -a")?;
    starts_with_its_key(&mut server, &home)?;
    assert_eq!(state(&mut server)?, "ii");

    let leave = "stayput mariadb disable --yes --key-file /etc/mysql/mariadb.keys";
    server.shell_within(leave, minutes(10))?.success()?;
    for words in ["-r stayput", "-P stayput"] {
        dpkg(&mut server, words)?;
        server.shut_down()?;
        server.boot_at(&home)?;
        server.wait_for_database()?;
        server.shell("! dmesg | grep stayput")?.success()?;
    }
    Ok(())
}

/// Another version comes together with a kernel, and /boot has room for one initramfs: that
/// of the new kernel gets the stage that has come, the other one keeps its own. Both start.
fn a_new_kernel_on_a_full_boot(server: &mut DebianMachine, home: &Place) -> Result {
    let own = server.kernel.clone();
    let newer = own.renamed(&server.disk().with_file_name("newer-vmlinux"))?;
    let version = newer.version().to_owned();
    server
        .shell_within(&make_kernel_package(&version), minutes(4))?
        .success()?;
    server.shell(FILL_BOOT)?.success()?;
    dpkg(server, "--unpack /root/stayput.deb /root/kernel.deb")?;
    let said = dpkg(server, "--configure -a")?;
    assert!(
        said.contains("each kernel keeps the boot stage that it has"),
        "{said}"
    );
    assert_eq!(state(server)?, "ii");
    // What has come onto the full /boot gets onto the disk.
    server
        .shell("umount /boot && cp -a /mnt/. /boot && umount /mnt && sync")?
        .success()?;

    server.kernel = newer;
    starts_with_its_key(server, home)?;
    assert_eq!(server.shell("uname -r")?.text.trim(), version);
    server.kernel = own;
    starts_with_its_key(server, home)?;
    let leaves = format!(
        "dpkg -P linux-image-test && rm -rf /lib/modules/{version} /boot/*{version} /root/kernel"
    );
    server.shell(&leaves)?.success()?;
    Ok(())
}

/// Brings the package to the server, and a newer one that differs in its version.
fn bring_packages(server: &mut DebianMachine) -> Result {
    let carrier = Stick::partitioned(Filesystem::Vfat)?;
    carrier.write("stayput.deb", &std::fs::read(debian_package()?)?)?;
    let plugged = server.plug(&carrier)?;
    server.wait_for_device("/dev/sda1")?;
    let bring = "mount -o ro /dev/sda1 /mnt && cp /mnt/stayput.deb /root/ && umount /mnt";
    server.shell(bring)?.success()?;
    server
        .shell_within(MAKE_NEWER_PACKAGE, minutes(4))?
        .success()?;
    server.unplug(&plugged)
}

/// Gives what it has said.
fn dpkg(server: &mut DebianMachine, words: &str) -> Result<String> {
    server
        .shell_within(&format!("dpkg {words} 2>&1"), minutes(15))?
        .success()
}

/// The package's state, as in `ii`.
fn state(server: &mut DebianMachine) -> Result<String> {
    let asked = "dpkg-query -W -f '${db:Status-Abbrev}' stayput";
    Ok(server.shell(asked)?.text.trim().to_owned())
}

fn starts_with_its_key(server: &mut DebianMachine, home: &Place) -> Result {
    server.shut_down()?;
    server.boot_at(home)?;
    has_its_key(server)
}

fn has_its_key(server: &mut DebianMachine) -> Result {
    server.wait_for_database()?;
    server
        .shell("dmesg | grep 'stayput: released'")?
        .success()?;
    Ok(())
}
