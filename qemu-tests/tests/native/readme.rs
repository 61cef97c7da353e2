//! The commands of README.md and docs/setup.md, word for word and in their order, as a
//! new owner types them at a terminal.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

use qemu_tests::{Container, Failure, Output, Result, Scratch, Suite, minutes, run, seconds};
use qemu_tests::{loop_device, project, shipped_binary};

use crate::plugged::show_on_usb;

/// The short way, and the long one.
const SHORT: (&str, &str) = ("README.md", "## Setting a server up");
const LONG: (&str, &str) = ("docs/setup.md", "## The long way");

/// What the owner types where the screen is silent.
pub const PIN: &str = "otter 4417 lamp";

/// Stands in a table before stayput comes.
const PATIENT: &str = "Akinyi Odhiambo 7719 asthma";

/// Where the owner has the project.
const CHECKOUT: &str = "/root/stayput";

/// Built for this machine already: there is no compiler in a container. What
/// stands in for the script that builds puts the programs where it puts them.
const BUILD: &str = "#!/bin/sh\nset -e\ncd \"$(dirname \"$0\")/..\"\n\
     mkdir -p target/static\ncp /root/built/* target/static\n";

/// The disk as an installer leaves it: the partition that waits for a vault is
/// taken away, and what makes device files for new ones, as udev does, goes on
/// until it is ended.
pub const PLAIN_DISK: &str = "set -e; root=$(findmnt -n -o MAJ:MIN /); \
     disk=$(basename $(dirname $(readlink /sys/dev/block/$root))); \
     delpart /dev/$disk 2; sgdisk --delete=2 /dev/$disk >/dev/null || true; rm /dev/${disk}p2; \
     echo plain; while sleep 0.1; do for part in /sys/class/block/${disk}p*; do \
     [ -e /dev/${part##*/} ] || \
     mknod /dev/${part##*/} b $(tr : ' ' <$part/dev); done; done";

/// A cable to a router, as the kernel shows a network card: everything of it
/// is eth0's own but the slot it sits in, which is that of one of this
/// computer's parts.
pub const CABLE: &str = "set -e; ip netns add router; \
     ip link add eth0 address 52:54:00:77:00:10 type veth \
     peer name lan address 00:0d:b9:77:00:01 netns router; \
     ip -n router address add 192.168.77.1/24 dev lan; ip -n router link set lan up; \
     ip link set eth0 up; ip address replace 192.168.77.10/24 dev eth0; \
     ip route replace default via 192.168.77.1 dev eth0; \
     net=/run/net; mkdir -p $net/eth0; \
     for fact in /sys/class/net/eth0/*; do ln -s $(readlink -f $fact) $net/eth0/; done; \
     ln -s $(ls -d /sys/bus/pci/devices/* | head -n 1) $net/eth0/device; \
     mount --bind $net /sys/class/net";

/// The commands of the first indented block below a heading.
fn commands((file, heading): (&str, &str)) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(project().join(file))?;
    let below = text.lines().skip_while(|line| *line != heading).skip(1);
    let commands = below
        .take_while(|line| !line.starts_with('#'))
        .skip_while(|line| !line.starts_with("    "))
        .map_while(|line| line.strip_prefix("    "))
        .map(|line| line.split(" #").next().unwrap_or_default().trim().into());
    Ok(commands.collect())
}

/// What a person types below the last words on the screen; `None` where they are no
/// question.
pub type Answer<'a> = &'a mut dyn FnMut(&str) -> Option<&'static str>;

/// Types each command in one shell, which ends at the first that fails.
pub fn types(server: &Container, commands: &[String], answer: Answer) -> Result<Output> {
    let root = server.root()?;
    std::fs::write(root.join("root/typed.sh"), commands.join("\n"))?;
    server
        .shell(&format!(
            "mkdir -p {CHECKOUT}; [ -p /run/keyboard ] || mkfifo /run/keyboard"
        ))?
        .success()?;
    // Both ways: opening it does not wait for the other side.
    let mut keyboard = OpenOptions::new()
        .read(true)
        .write(true)
        .open(root.join("run/keyboard"))?;
    let mut owner = server.spawn(&format!(
        "cd {CHECKOUT} && exec script -qec 'sh -ex /root/typed.sh' /dev/null </run/keyboard"
    ))?;
    let started = Instant::now();
    let mut answered = 0;
    loop {
        if let Some(output) = owner.ended()? {
            return Ok(output);
        }
        let said = owner.said();
        if let Some(answer) = said.get(answered..).and_then(&mut *answer) {
            answered = said.len();
            writeln!(keyboard, "{answer}")?;
        }
        if started.elapsed() > minutes(6) {
            return Err(Failure::new(format!("it does not end: {said}")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What an owner who wants the usual says to the last words on the screen.
pub fn usual_answer(screen: &str) -> Option<&'static str> {
    let answers = [
        ("on paper as well? [yes/no] ", "no"),
        ("Shall it? [yes/no] ", "no"),
        ("[yes/no] ", "yes"),
        ("for the stick: ", PIN),
        ("once more: ", PIN),
        ("such as office: ", "office"),
        ("(Enter: there is none): ", ""),
        ("or again: ", ""),
        ("or none) ", ""),
        ("(Enter: not said): ", ""),
    ];
    let is_name = screen.ends_with("] ") && screen.contains("people call this server?");
    let mut answers = answers.into_iter();
    let found = answers.find(|(question, _)| screen.ends_with(question));
    found
        .map(|(_, answer)| answer)
        .or(is_name.then_some("clinic"))
}

/// A server with a database, nothing of stayput on it, and the project in
/// root's home.
fn new_owners_server() -> Result<Container> {
    let server = Container::without_vault(Suite::Bookworm)?;
    server.wait_for_database()?;
    server.sql(&format!(
        "CREATE DATABASE clinic; CREATE TABLE clinic.patient (name TEXT); \
         INSERT INTO clinic.patient VALUES ('{PATIENT}')"
    ))?;
    server
        .shell(&format!(
            "rm -r /usr/sbin/stayput /usr/lib/stayput && mkdir -p {CHECKOUT}/build /root/built"
        ))?
        .success()?;
    let root = server.root()?;
    for name in ["stayput", "stayput-boot"] {
        std::fs::copy(shipped_binary(name)?, root.join("root/built").join(name))?;
    }
    let script = "build/static-binaries";
    assert!(project().join(script).exists());
    std::fs::write(root.join("root/stayput").join(script), BUILD)?;
    server
        .shell(&format!("chmod 755 {CHECKOUT}/{script}"))?
        .success()?;
    Ok(server)
}

/// Plugs a stick in as /dev/sdb; it is gone when what this gives is dropped.
pub fn plug(server: &Container, scratch: &Scratch) -> Result<qemu_tests::Background> {
    let image = scratch.join("stick.img").display().to_string();
    if !scratch.join("stick.img").exists() {
        std::fs::File::create(&image)?.set_len(32 << 20)?;
        run("mkfs.ext4", &["-q", &image])?;
    }
    let device = loop_device(image.as_ref())?;
    let device = device.as_str();
    let plugged = show_on_usb(server, device, "sdb")
        .and_then(|_| server.spawn("exec </dev/sdb1; echo plugged; exec sleep 1000"))
        .and_then(|mut held| {
            held.wait_for("plugged", seconds(20))?;
            Ok(held)
        });
    // From here on the kernel lets go of it when the last one closes it.
    run("losetup", &["--detach", device])?;
    plugged
}

/// A boot away from the place stays locked, and the stick opens it.
pub fn opens_away_with_the_stick(
    server: &mut Container,
    scratch: &Scratch,
) -> Result<qemu_tests::Background> {
    server.shut_down()?;
    server.boot_locked()?;
    assert!(!server.shell("pidof mariadbd")?.ok());
    let stick = plug(server, scratch)?;
    server
        .shell(&format!(
            "echo '{PIN}' | stayput release --stick /dev/sdb1 --pin-stdin && \
             systemctl start mariadb"
        ))?
        .success()?;
    Ok(stick)
}

#[test]
fn readme_sets_a_server_up_as_it_says() -> Result {
    let commands = commands(SHORT)?;
    assert!(
        commands.iter().any(|line| line == "./stayput setup"),
        "{commands:?}"
    );
    sets_a_server_up(&commands)
}

#[test]
fn the_long_way_sets_a_server_up_as_it_says() -> Result {
    let commands = commands(LONG)?;
    let ours = commands.iter().filter(|line| line.starts_with("./"));
    assert!(ours.count() >= 5, "{commands:?}");
    sets_a_server_up(&commands)
}

fn sets_a_server_up(commands: &[String]) -> Result {
    let scratch = Scratch::new()?;
    let mut server = new_owners_server()?;
    let mut udev = server.spawn(PLAIN_DISK)?;
    udev.wait_for("plain", seconds(20))?;
    server.shell(CABLE)?.success()?;
    let stick = plug(&server, &scratch)?;
    let said = types(&server, commands, &mut usual_answer)?;
    // Whether the next boot opens is said at the end of `setup`; this container has no
    // machine that could tell.
    assert!([0, 1, 2].contains(&said.status), "{said}");
    let said = said.text;
    for command in commands {
        assert!(said.contains(&format!("+ {command}")), "{command}: {said}");
    }

    // All of it is done: the stick opens it, the initramfs has the boot stage.
    let verify = "stayput stick verify /dev/sdb1 --pin-stdin";
    server
        .shell(&format!("echo '{PIN}' | {verify}"))?
        .success()?;
    let images = server.shell("for image in /boot/initrd.img-*; do lsinitramfs $image; done")?;
    assert!(images.text.contains("usr/lib/stayput/stayput-boot"));
    drop((stick, udev));

    // A boot away from the place: nothing but the stick brings it back.
    let _stick = opens_away_with_the_stick(&mut server, &scratch)?;
    server.wait_for_database()?;
    let patient = server.sql("SELECT name FROM clinic.patient")?;
    assert_eq!(patient.trim_end(), PATIENT);
    let data = server.shell("grep ' /var/lib/mysql ' /proc/mounts")?;
    assert!(data.ok(), "the gate has bound the real directory: {data}");
    Ok(())
}
