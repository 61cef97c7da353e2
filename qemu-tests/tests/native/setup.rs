//! `stayput setup`: with a file of answers and at a terminal, killed or cut off in the middle
//! of each step and run again.

use qemu_tests::{Background, Container, Output, Result, Scratch, Suite, minutes, seconds};

use crate::clinic::{fill, has_rows};
use crate::readme::{CABLE, PIN, PLAIN_DISK, opens_away_with_the_stick, plug, types, usual_answer};

const SETUP: &str = "stayput setup --answers /root/answers";

/// What a fleet's owner writes.
const ANSWERS: &str = "name = clinic\nvault = VAULT\nneighbour = 192.168.77.1\n\
     stick = /dev/sdb1\nstick-label = office\nstick-pin = /root/pin\nstick-kept = bank safe\n\
     on-strikes = reset\n";

/// What stands in front of each step when it begins.
const STEPS: [&str; 5] = [
    "] stayput init",
    "] stayput enroll",
    "] stayput stick make",
    "] stayput install",
    "] stayput mariadb enable",
];

/// How many milliseconds later it is interrupted.
const MOMENTS: [u64; 5] = [20, 700, 300, 1500, 900];

/// A server with patients at its place, a stick, and no vault.
fn new_server(suite: Suite, scratch: &Scratch) -> Result<(Container, Background)> {
    let server = Container::without_vault(suite)?;
    server.wait_for_database()?;
    fill(&server)?;
    server.shell(CABLE)?.success()?;
    let stick = plug(&server, scratch)?;
    let answers = server.shell("ls /dev/loop*p2")?.success()?;
    let answers = ANSWERS.replace("VAULT", answers.trim());
    std::fs::write(server.root()?.join("root/answers"), answers)?;
    server
        .shell(&format!(
            "umask 077; echo '{PIN}' >/root/pin; {GAP} >/root/before; sync"
        ))?
        .success()?;
    Ok((server, stick))
}

fn setup(server: &Container) -> Result<Output> {
    server.shell_within(SETUP, minutes(5))
}

/// What stands where a vault gets its partition.
const GAP: &str =
    "dd if=$(ls /dev/loop*p1 | sed s/p1//) skip=128 count=1920 status=none | sha256sum";

/// The vault's place is as it was, and no file of a server that is set up is there.
fn is_untouched(server: &Container) -> Result {
    server
        .shell(&format!(
            "[ \"$({GAP})\" = \"$(cat /root/before)\" ] && [ ! -e /etc/stayput/vault.conf ] && \
             [ ! -e /var/lib/stayput/mariadb.check ] && ! ls /etc/initramfs-tools/hooks/stayput"
        ))?
        .success()?;
    Ok(())
}

#[test]
fn setup_killed_in_each_step_goes_on() -> Result {
    let scratch = Scratch::new()?;
    let (server, stick) = new_server(Suite::Bookworm, &scratch)?;

    // The file is read whole before anything is changed.
    let wrong = "sed 's/^on-strikes.*/on-strikes = explode/' /root/answers >/root/wrong; \
                 stayput setup --answers /root/wrong";
    let said = server.shell(wrong)?;
    assert_eq!(said.status, 2, "{said}");
    assert!(said.text.contains("/root/wrong, line 8: "), "{said}");
    server.shell(&format!("{SETUP} --dry-run"))?.success()?;
    is_untouched(&server)?;

    for (step, later) in STEPS.into_iter().zip(MOMENTS) {
        let run = setup_up_to(&server, step, later)?;
        is_killed(&server, run)?;
    }
    goes_on_to_its_end(server, stick, &scratch)
}

/// Here dracut makes the image. The power goes meanwhile, and with it what the disk was not
/// told to keep.
#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn setup_cut_off_by_power_goes_on_on_debian_13() -> Result {
    let scratch = Scratch::new()?;
    let (mut server, mut stick) = new_server(Suite::Trixie, &scratch)?;
    for (step, later) in STEPS.into_iter().zip(MOMENTS) {
        let run = setup_up_to(&server, step, later)?;
        if step != "] stayput install" {
            is_killed(&server, run)?;
            continue;
        }
        drop(stick);
        server.power_cut_losing_unflushed()?;
        server.boot_locked()?;
        server.shell(CABLE)?.success()?;
        stick = plug(&server, &scratch)?;
        has_rows(&server, 5000)?;
    }
    goes_on_to_its_end(server, stick, &scratch)
}

/// A run that has begun this step so many milliseconds ago.
fn setup_up_to(server: &Container, step: &str, later: u64) -> Result<Background> {
    let mut run = server.spawn(&format!("exec {SETUP}"))?;
    run.wait_for(step, minutes(4))?;
    std::thread::sleep(std::time::Duration::from_millis(later));
    Ok(run)
}

fn is_killed(server: &Container, run: Background) -> Result {
    drop(run);
    // The kernel lets its locks go when it is gone.
    server
        .shell("while pgrep -f '[s]tayput setup' >/dev/null; do sleep 0.1; done")?
        .success()?;
    Ok(())
}

/// The next run does what is left, and the server keeps its rows and opens with the stick.
fn goes_on_to_its_end(mut server: Container, stick: Background, scratch: &Scratch) -> Result {
    let said = setup(&server)?;
    assert!(said.text.contains("For the drawer"), "{said}");
    assert!(said.text.contains("not in force yet"), "{said}");
    has_rows(&server, 5000)?;

    // The stick is out: what was wanted is in force, and nothing is left after that.
    drop(stick);
    let said = setup(&server)?;
    assert!(
        said.text
            .contains("[1/1] stayput policy --on-strikes reset"),
        "{said}"
    );
    let said = setup(&server)?;
    assert!(said.text.contains("Nothing is left to be done."), "{said}");
    let policy = server.shell("stayput policy")?.success()?;
    assert!(policy.contains("on-strikes  reset"), "{policy}");
    let sheet = server.shell("stayput sheet --with-places")?.success()?;
    assert!(sheet.contains("Stick \"office\": bank safe"), "{sheet}");

    // Nothing but the stick brings it back elsewhere.
    let _stick = opens_away_with_the_stick(&mut server, scratch)?;
    has_rows(&server, 5000)
}

#[test]
fn ctrl_c_at_any_question_leaves_everything_as_it_is() -> Result {
    let scratch = Scratch::new()?;
    let (server, _stick) = new_server(Suite::Bookworm, &scratch)?;
    let mut udev = server.spawn(PLAIN_DISK)?;
    udev.wait_for("plain", seconds(20))?;
    let setup = ["stayput setup".to_owned()];
    let last_words = [
        "people call this server?",
        "or again: ",
        "or none) ",
        "once more: ",
        "Shall it? [yes/no] ",
        "Do this now? [yes/no] ",
    ];
    for question in last_words {
        let mut is_met = false;
        let mut answer = |screen: &str| {
            let answer = usual_answer(screen)?;
            let last = screen.lines().last().unwrap_or_default();
            if last.contains(question) {
                is_met = true;
                return Some("\x03");
            }
            Some(answer)
        };
        let said = types(&server, &setup, &mut answer)?;
        assert!(is_met, "{question}: {said}");
        assert!(!said.ok(), "{question}: {said}");
        is_untouched(&server)?;
    }

    // A PIN that is typed differently is asked for again.
    let mut pins = ["otter 1", "otter 2", PIN, PIN].into_iter();
    let mut answer = |screen: &str| {
        let answer = usual_answer(screen)?;
        match screen.ends_with("for the stick: ") || screen.ends_with("once more: ") {
            true => pins.next(),
            false if screen.ends_with("Do this now? [yes/no] ") => Some("no"),
            false => Some(answer),
        }
    };
    let said = types(&server, &setup, &mut answer)?;
    assert!(said.text.contains("The two are not the same."), "{said}");
    assert!(said.text.contains("This will be done:"), "{said}");
    is_untouched(&server)?;
    let run = server
        .spawn("exec stayput setup </dev/null")?
        .wait(seconds(20))?;
    assert_eq!(run.status, 2, "{run}");
    assert!(run.text.contains("--answers FILE"), "{run}");
    Ok(())
}
