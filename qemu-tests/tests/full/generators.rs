//! What the owner tells the generator of the initramfs, after stayput was installed: the
//! server starts by itself with each. `qemu-tests/matrix` runs these, for each initramfs
//! is made in an emulated machine.

use qemu_tests::{DebianMachine, Place, Result, Scratch, Suite, System, minutes, run};

fn installed(system: System, home: &Place) -> Result<DebianMachine> {
    let mut server = DebianMachine::installed(system, &mut |_| ())?;
    server.boot_at(home)?;
    server.wait_for_database()?;
    Ok(server)
}

/// Has the initramfs made, and starts with it.
fn starts_with_a_new_image(server: &mut DebianMachine, home: &Place) -> Result {
    server
        .shell_within("stayput install", minutes(30))?
        .success()?;
    server.shut_down()?;
    server.boot_at(home)?;
    server.wait_for_database()?;
    server
        .shell("dmesg | grep 'stayput: released'")?
        .success()?;
    Ok(())
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn with_the_modules_of_some_or_all_machines_it_starts() -> Result {
    let home = Place::home()?;
    let system = System {
        suite: Suite::Trixie,
        ..System::USUAL
    };
    let mut server = installed(system, &home)?;
    for modules in ["dep", "most"] {
        let settings = "/etc/initramfs-tools/conf.d/test-machine";
        let set = format!("sed -i s/^MODULES=.*/MODULES={modules}/ {settings} && cat {settings}");
        let settings = server.shell(&set)?.success()?;
        let wanted = format!("MODULES={modules}\n");
        assert!(settings.contains(&wanted), "{settings}");
        starts_with_a_new_image(&mut server, &home)?;
    }
    Ok(())
}

/// dracut then takes what any machine may need, and what this one may need some day, such
/// as what wakes a server that was hibernated.
#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn with_an_image_for_all_machines_it_starts_and_waits() -> Result {
    let (home, elsewhere) = (Place::home()?, Place::elsewhere()?);
    let mut server = installed(System::WITH_DRACUT, &home)?;
    server
        .shell(
            "printf '%s\\n' hostonly=no 'drivers=\"\"' \
             >/etc/dracut.conf.d/zz-all-machines.conf",
        )?
        .success()?;
    starts_with_a_new_image(&mut server, &home)?;
    server.power_cut();

    let scratch = Scratch::new()?;
    let swap = scratch.join("swap.img");
    std::fs::File::create(&swap)?.set_len(64 << 20)?;
    run("mkswap", &[&swap.display().to_string()])?;
    server.more_disks.push(swap);
    server.kernel_words = "resume=/dev/vdb".into();
    server.switch_on_at(&elsewhere)?;
    server.wait_for_prompt()?;
    server.wait_for_device("/dev/vdb")?;
    let jobs = server.jobs()?;
    for unit in ["systemd-hibernate-resume.service", "sysroot.mount"] {
        let waits = format!("{unit} waiting");
        assert!(jobs.contains(&waits), "{unit}: {jobs:?}");
    }
    server
        .shell("[ -z \"$(ls -A /run/stayput 2>/dev/null)\" ]")?
        .success()?;
    Ok(())
}
