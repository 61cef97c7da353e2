//! The story that stayput is for; its steps are in `qemu_tests::Story`.

use qemu_tests::{DebianMachine, Result, Story, System, minutes, seconds};

fn silent() -> impl FnMut(&str) {
    |_: &str| ()
}

#[test]
fn no_power_cut_costs_a_row_and_no_thief_gets_one() -> Result {
    let mut story = Story::begin(System::USUAL, &mut silent())?;
    story.at_home(&mut silent())?;
    let foretold = check_and_simulate(&mut story.server)?;
    story.power_cut(&mut silent())?;
    story.server.screen = true;
    harden_against_sticks(&mut story.server)?;
    story.stolen(&mut silent())?;
    // The prompt is what `stayput simulate` said that it would be.
    for _ in 0..120 {
        if story.server.console().transcript().contains(foretold) {
            break;
        }
        std::thread::sleep(seconds(1));
    }
    let shown = story.server.console().transcript();
    assert!(
        shown.contains(foretold),
        "foretold {foretold:?}, shown {shown}"
    );
    story.server.asks_for_status_on_screen()?;
    story.stick_brings_it_back(&mut silent())
}

/// What hardening guides advise against sticks, in the initramfs and on the
/// kernel's command line: the stick at the prompt has to work all the same.
fn harden_against_sticks(server: &mut DebianMachine) -> Result {
    server.kernel_words = "usbcore.authorized_default=0".into();
    server
        .shell(
            "rm -rf /root/x && mkdir -p /root/x/etc/modprobe.d && cd /root/x && \
             for module in usb-storage uas vfat usbhid; do echo install $module /bin/true; done \
             >etc/modprobe.d/hardening.conf && \
             find . | cpio --quiet -o -H newc | zstd -q -1 >>/boot/initrd.img-$(uname -r) && sync",
        )?
        .success()?;
    Ok(())
}

/// `stayput check` on a server as it was installed, and after what would keep
/// its next boot from opening; gives what the prompt would say
/// elsewhere, as far as it is foretold.
fn check_and_simulate(server: &mut DebianMachine) -> Result<&'static str> {
    let initrd = "/boot/initrd.img-$(uname -r)";
    let drop_in = "/etc/systemd/system/mariadb.service.d/stayput.conf";
    server
        .shell(&format!(
            "cp {initrd} /root/initrd && cp {drop_in} /root/drop-in"
        ))?
        .success()?;
    let said = server
        .shell_within("stayput check", minutes(5))?
        .success()?;
    assert!(said.contains("opens by itself"), "{said}");
    assert!(!said.contains("WRONG"), "{said}");
    // An update that went wrong in three ways at once.
    server
        .shell_within(
            &format!(
                "rm -rf /root/x && unmkinitramfs /root/initrd /root/x && cd /root/x && \
                 {{ [ ! -d main ] || cd main; }} && find . -name 'virtio_net.ko*' -delete && \
                 echo other >>usr/lib/stayput/stayput-boot && \
                 find . | cpio --quiet -o -H newc | zstd -q -1 >{initrd} && \
                 ln -sf /dev/null {drop_in} && systemctl daemon-reload"
            ),
            minutes(5),
        )?
        .success()?;
    let output = server.shell_within("stayput check --json", minutes(5))?;
    assert_eq!(output.status, 1, "{output}");
    for said in [
        "\"verdict\": \"wrong\"",
        "lacks the kernel module virtio_net",
        "holds another boot stage",
        "does not pass the gate",
    ] {
        assert!(output.text.contains(said), "{said}: {output}");
    }
    server
        .shell(&format!(
            "cp /root/initrd {initrd} && rm {drop_in} && cp /root/drop-in {drop_in} && \
             systemctl daemon-reload && sync"
        ))?
        .success()?;
    // A new kernel starts, though without the database: without an initramfs it
    // would not start at all. One that has one keeps it.
    let hook = "/etc/initramfs-tools/hooks/stayput";
    let stage = "/usr/lib/stayput/stayput-boot";
    let said = server
        .shell(&format!(
            "mv {stage} /root/stage; for version in 9.9 $(uname -r); do \
             version=$version DESTDIR=$(mktemp -d) {hook} 2>&1; echo exit $?; done; \
             mv /root/stage {stage}"
        ))?
        .success()?;
    let exits: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("exit "))
        .collect();
    assert_eq!(exits, ["exit 0", "exit 1"], "{said}");
    assert!(
        said.contains("the kernel 9.9 starts without the database"),
        "{said}"
    );
    assert!(said.contains("was kept as it is"), "{said}");
    // What is left of the check would grow from one to the next.
    let left = server.shell("ls -d /var/tmp/stayput-check-* 2>/dev/null")?;
    assert_eq!(left.text, "");

    let strangers = "stayput simulate --without place --strangers";
    let said = server.shell(strangers)?.success()?;
    assert!(said.contains("Strike 1 of 3 is counted"), "{said}");
    let said = server.shell("stayput simulate --without neighbour:192.168.77.1")?;
    assert!(said.text.contains("opens by itself"), "{said}");
    // It has counted nothing.
    let said = server.shell("stayput status --json")?.success()?;
    assert!(said.contains("\"strikes\": 0"), "{said}");
    let said = server.shell(&format!("{strangers} --json"))?.success()?;
    let prompt = said.lines().find(|line| line.contains("\"prompt\":"));
    let reason = "This server has not found its place so far. It keeps looking.";
    assert!(
        prompt.is_some_and(|prompt| prompt.contains(reason)),
        "{said}"
    );
    Ok(reason)
}
