//! The boot stage beside other parts of the boot: a root on LUKS, LVM and RAID1, a
//! splash screen, dropbear. `qemu-tests/matrix` runs these, for they take long; the
//! story itself it tells on these systems as on the others.

use std::io::Write;
use std::process::{Command, Stdio};

use qemu_tests::{
    DebianMachine, Failure, Generator, PASSPHRASE_QUESTIONS, Place, Result, System, minutes,
    seconds,
};

/// The scenarios that each generator of an initramfs has to tell the same.
macro_rules! with_each_generator {
    ($($scenario:ident),* $(,)?) => {
        with_each_generator!(on initramfs_tools, 0, $($scenario),*);
        with_each_generator!(on dracut, 1, $($scenario),*);
    };
    (on $generator:ident, $index:literal, $($scenario:ident),*) => {
        mod $generator {
            use qemu_tests::{Result, System};
            $(
                #[test]
                #[ignore = "takes minutes: qemu-tests/matrix runs it"]
                fn $scenario() -> Result {
                    super::$scenario(System::LAYERED[$index])
                }
            )*
        }
    };
}
with_each_generator!(
    at_home_the_disks_passphrase_is_asked_for_after_the_release,
    stolen_server_asks_for_the_stick_then_for_the_passphrase,
    server_with_one_disk_of_two_still_starts_at_home,
);

fn installed(system: System) -> Result<DebianMachine> {
    DebianMachine::installed(system, &mut |_| ())
}

fn initramfs_tools() -> System {
    let [initramfs_tools, _] = System::LAYERED;
    initramfs_tools
}

fn at_home_the_disks_passphrase_is_asked_for_after_the_release(system: System) -> Result {
    let home = Place::home()?;
    let mut server = installed(system)?;
    server.switch_on_at(&home)?;
    wait_for_question(&mut server)?;
    // The question stands there, and nobody has answered it yet.
    let state = "ls /run/stayput/mariadb.keys && ! ls /dev/mapper/root 2>/dev/null";
    server.shell(state)?.success()?;
    server.type_passphrase()?;
    server.machine()?.wait_for_system(minutes(10))?;
    server.wait_for_database()?;
    // Nobody waits for /boot: the disk that it is on may be the one that has gone.
    server.wait_until_up()?;
    let check = server
        .shell_within("stayput check", minutes(5))?
        .success()?;
    assert!(check.contains("opens by itself"), "{system}: {check}");
    // From under MariaDB's data to the RAID, all of it is taken down.
    server.shut_down()
}

fn stolen_server_asks_for_the_stick_then_for_the_passphrase(system: System) -> Result {
    let elsewhere = Place::elsewhere()?;
    let mut server = installed(system)?;
    let stick = DebianMachine::installed_stick(system)?;
    server.screen = true;
    let shown = halted_in_the_prompt(&mut server, &elsewhere)?;
    assert!(!asks_for_the_passphrase(&shown), "{system}: {shown}");
    no_splash_screen_is_in_the_way(&mut server)?;
    std::thread::sleep(seconds(20));
    let shown = server.console().transcript();
    assert!(!asks_for_the_passphrase(&shown), "{system}: {shown}");
    server.shell("! ls /dev/mapper/root")?.success()?;

    server.plug(&stick)?;
    let said = server.type_passphrase()?;
    assert!(said.contains("The key is accepted"), "{system}: {said}");
    server.machine()?.wait_for_system(minutes(10))?;
    server.wait_for_database()?;
    Ok(())
}

/// What is typed reaches the prompt, on the serial line and on the screen.
fn no_splash_screen_is_in_the_way(server: &mut DebianMachine) -> Result {
    server
        .shell("! grep -x plymouthd /proc/[0-9]*/comm")?
        .success()?;
    server.console().type_line("status")?;
    server.console().wait_for("Network card", minutes(1))?;
    server.wait_for_on_screen("Network card")
}

fn server_with_one_disk_of_two_still_starts_at_home(system: System) -> Result {
    let home = Place::home()?;
    let mut server = installed(system)?;
    server.mirror = None;
    server.boot_at(&home)?;
    server.wait_for_database()?;
    let raid = server.shell("cat /proc/mdstat")?.success()?;
    assert!(raid.contains("[2/1]"), "{system}: {raid}");
    Ok(())
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn dropbear_opens_no_disk_before_the_stage_lets_go() -> Result {
    let system = initramfs_tools();
    let elsewhere = Place::elsewhere()?;
    let mut server = installed(system)?;
    let stick = DebianMachine::installed_stick(system)?;
    halted_in_the_prompt(&mut server, &elsewhere)?;
    let said = unlock_from_afar(&server, &elsewhere)?;
    assert!(said.contains("Try again later"), "{said}");
    let state = "[ -z \"$(ls -A /run/stayput 2>/dev/null)\" ] && ! ls /dev/mapper/root";
    server.shell(state)?.success()?;
    let shown = server.console().transcript();
    assert!(!asks_for_the_passphrase(&shown), "{shown}");

    // Afterwards it does what it is there for.
    server.plug(&stick)?;
    wait_for_question(&mut server)?;
    let said = unlock_from_afar(&server, &elsewhere)?;
    assert!(said.contains("set up successfully"), "{said}");
    server.machine()?.wait_for_system(minutes(10))?;
    server.wait_for_database()
}

/// What the owner does whose server asks for a passphrase: logs in to dropbear and types
/// it there. Gives what that says.
fn unlock_from_afar(server: &DebianMachine, place: &Place) -> Result<String> {
    let mut ssh = Command::new("ip")
        .args(["netns", "exec", place.namespace(), "ssh", "-T", "-i"])
        .arg(server.ssh_key())
        .args(["-o", "StrictHostKeyChecking=no"])
        .args(["-o", "UserKnownHostsFile=/dev/null"])
        .args(["-o", "ConnectTimeout=60"])
        .args(["root@192.168.77.10", "cryptroot-unlock 2>&1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut typed) = ssh.stdin.take() {
        typed.write_all(server.passphrase()?.as_bytes())?;
    }
    let output = ssh.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    match said.contains("Connection refused") || said.contains("timed out") {
        true => Err(Failure::new(format!("dropbear does not answer: {said}"))),
        false => Ok(said),
    }
}

/// Switches it on where its place is not, and waits for the prompt; gives what the
/// console said.
fn halted_in_the_prompt(server: &mut DebianMachine, place: &Place) -> Result<String> {
    server.switch_on_at(place)?;
    server.console().wait_for("stayput> ", minutes(10))?;
    Ok(server.console().transcript())
}

fn asks_for_the_passphrase(shown: &str) -> bool {
    PASSPHRASE_QUESTIONS
        .iter()
        .any(|asked| shown.contains(asked))
}

/// Waits for it, and leaves it to `type_passphrase`.
fn wait_for_question(server: &mut DebianMachine) -> Result {
    for _ in 0..600 {
        if asks_for_the_passphrase(&server.console().transcript()) {
            return Ok(());
        }
        std::thread::sleep(seconds(1));
    }
    let shown = server.console().transcript();
    Err(Failure::new(format!(
        "nobody asks for a passphrase: {shown}"
    )))
}

#[test]
fn one_of_these_systems_is_made_by_each_generator() {
    let generators = System::LAYERED.map(|system| system.generator);
    assert_eq!(generators, Generator::ALL);
}
