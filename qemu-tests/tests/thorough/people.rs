//! What people remember or have on paper, at the prompt of the locked server.

use qemu_tests::seen::{assert_locked, assert_released};
use qemu_tests::{FastMachine, Place, RecoveryCode, Result, Stick, minutes, seconds};

use crate::suspect::{clinic_with_office_stick, make_office_stick};

const WORDS: &str = "otter lamp frozen cello";
const NEW_WORDS: &str = "basket seven river comb";
const DURESS: &str = "maize under the bridge";

/// Gives a person a passphrase, in a shell at home.
fn add(machine: &mut FastMachine, who: &str, words: &str) -> Result {
    let add = format!("echo '{words}' | stayput passphrase add {who} --passphrase-stdin && sync");
    machine.shell(&add)?.success()?;
    Ok(())
}

/// Enters a passphrase where one is asked for, and waits for the answer.
fn enter(machine: &mut FastMachine, words: &str, answer: &str) -> Result {
    machine.console().type_line(words)?;
    machine.console().wait_for(answer, seconds(60))?;
    Ok(())
}

fn ask_for_passphrase(machine: &mut FastMachine) -> Result {
    machine.console().type_line("passphrase")?;
    machine.console().wait_for("Passphrase: ", seconds(30))?;
    Ok(())
}

/// Changes the passphrase `from` at the prompt; `answer` is what it says in the
/// end.
fn change(machine: &mut FastMachine, from: &str, to: &str, answer: &str) -> Result {
    machine.console().type_line("change")?;
    machine
        .console()
        .wait_for("Present passphrase: ", seconds(30))?;
    enter(machine, from, "New passphrase: ")?;
    enter(machine, to, "The same once more: ")?;
    enter(machine, to, answer)
}

/// At the prompt, by whoever knows the present one, and it opens nothing.
fn a_passphrase_is_changed_at_the_prompt(machine: &mut FastMachine) -> Result {
    machine.console().type_line("")?;
    machine
        .console()
        .wait_for("Nothing was entered.", seconds(20))?;
    change(
        machine,
        WORDS,
        WORDS,
        "in use already. Nothing was changed.",
    )?;
    machine.console().type_line("change")?;
    machine
        .console()
        .wait_for("Present passphrase: ", seconds(30))?;
    enter(machine, WORDS, "New passphrase: ")?;
    enter(machine, "short", "at least 8 characters")?;
    machine
        .console()
        .wait_for("New passphrase: ", seconds(30))?;
    enter(machine, NEW_WORDS, "The same once more: ")?;
    enter(machine, WORDS, "The two are not the same. Nothing")?;
    change(machine, WORDS, NEW_WORDS, "of \"Halima\" is changed.")?;
    assert_locked(machine)?;
    // The old one is a wrong entry, when one wants to change it as well.
    machine.console().type_line("change")?;
    machine
        .console()
        .wait_for("Present passphrase: ", seconds(30))?;
    enter(machine, WORDS, "is wrong. Try again in 4 s.")?;
    enter(machine, NEW_WORDS, "Wait ")?;
    machine.console().type_line("")?;
    machine
        .console()
        .wait_for("Nothing was changed.", seconds(20))?;
    std::thread::sleep(seconds(6));
    ask_for_passphrase(machine)
}

#[test]
fn a_passphrase_opens_elsewhere_and_wrong_ones_slow_down() -> Result {
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_networked_shell_at(&Place::home()?)?;
    add(&mut machine, "Halima", WORDS)?;
    let list = machine.shell("stayput passphrase list")?.success()?;
    assert!(list.contains("Halima"), "{list}");

    let elsewhere = Place::elsewhere()?;
    machine.boot_at(&elsewhere)?;
    machine.console().wait_for("9  passphrase", minutes(2))?;
    machine.wait_for_prompt()?;
    // Typed as a command it is not taken, and not tried either.
    enter(&mut machine, "not a word", "words of the menu")?;
    ask_for_passphrase(&mut machine)?;
    enter(&mut machine, "a wrong guess", "is wrong. Try again in 1 s.")?;
    std::thread::sleep(seconds(2));
    enter(
        &mut machine,
        "another wrong guess",
        "is wrong. Try again in 2 s.",
    )?;
    assert_locked(&mut machine)?;

    machine.boot_at(&elsewhere)?;
    machine.wait_for_prompt()?;
    ask_for_passphrase(&mut machine)?;
    enter(&mut machine, WORDS, "Wait ")?;
    assert_locked(&mut machine)?;
    std::thread::sleep(seconds(4));
    a_passphrase_is_changed_at_the_prompt(&mut machine)?;
    machine.console().type_line(NEW_WORDS)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let console = machine.console().transcript();
    let log = machine.shell("stayput log; dmesg")?.text;
    assert!(log.contains("the passphrase of \"Halima\""), "{log}");
    assert!(log.contains("Wrong passphrase."), "{log}");
    let changed = "The passphrase of \"Halima\" was changed.";
    assert!(log.contains(changed), "{log}");
    for typed in [WORDS, NEW_WORDS, "wrong guess"] {
        assert!(
            !console.contains(typed) && !log.contains(typed),
            "{console}"
        );
    }
    Ok(())
}

/// At home the server says that it was reset, and its stick opens it. Gives what
/// the log then says.
fn comes_back_from_duress(machine: &mut FastMachine, stick: &Stick) -> Result<String> {
    machine.boot_at(&Place::home()?)?;
    machine
        .console()
        .wait_for("This server was reset", minutes(2))?;
    assert_locked(machine)?;
    machine.plug(stick)?;
    machine.wait_for_release()?;
    assert_released(machine)?;
    let log = machine.shell("stayput log")?.success()?;
    assert!(log.contains("Reset, with a passphrase for duress"), "{log}");
    Ok(log)
}

#[test]
fn duress_looks_wrong_and_only_a_stick_opens_afterwards() -> Result {
    let (mut machine, stick) = clinic_with_office_stick("--wait 5")?;
    add(&mut machine, "Halima", WORDS)?;
    add(&mut machine, "night --duress", DURESS)?;

    let place = Place::elsewhere()?;
    machine.boot_at(&place)?;
    machine.wait_for_prompt()?;
    ask_for_passphrase(&mut machine)?;
    enter(
        &mut machine,
        "a wrong guess",
        "The passphrase is wrong. Try again in 1 s.",
    )?;
    std::thread::sleep(seconds(2));
    enter(
        &mut machine,
        DURESS,
        "The passphrase is wrong. Try again in 2 s.",
    )?;
    std::thread::sleep(seconds(4));
    // The key is gone: nothing opens, and nothing says so.
    enter(
        &mut machine,
        WORDS,
        "The passphrase is wrong. Try again in 4 s.",
    )?;
    machine.console().type_line("")?;
    machine
        .console()
        .wait_for("Nothing was entered.", seconds(20))?;
    for word in ["status", "retry", "status"] {
        machine.console().type_line(word)?;
        machine.wait_for_prompt()?;
    }
    for neighbour in Place::home_neighbours() {
        place.replace(&neighbour)?;
    }
    let console = machine.console();
    console.expect_silence_about("accepted", seconds(10))?;
    console.expect_silence_about("was reset", seconds(1))?;
    assert_locked(&mut machine)?;

    comes_back_from_duress(&mut machine, &stick)?;
    Ok(())
}

/// Names the passphrase to a command that needs the key; what it says.
fn command_with(machine: &mut FastMachine, words: &str) -> Result<String> {
    let list = "stayput passphrase list --passphrase --passphrase-stdin";
    let said = machine.shell(&format!("echo '{words}' | {list} 2>&1"))?;
    assert!(!said.ok(), "{said}");
    Ok(said.text)
}

#[test]
fn duress_at_a_command_says_wrong_and_destroys_the_key() -> Result {
    let home = Place::home()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    let stick = make_office_stick(&mut machine, None)?;
    add(&mut machine, "Halima", WORDS)?;
    add(&mut machine, "night --duress", DURESS)?;
    assert_released(&mut machine)?;
    // The only stick is in the server: it must be left alone.
    machine.plug(&stick)?;
    machine.wait_for_device("/dev/sda1")?;

    let wrong = command_with(&mut machine, "a wrong guess")?;
    assert!(wrong.contains("The passphrase is wrong."), "{wrong}");
    assert_released(&mut machine)?;
    assert_eq!(command_with(&mut machine, DURESS)?, wrong);
    // What was released has gone, and nothing opens it any more: not the right
    // passphrase, of which the same is said, and not the home.
    let released = machine.shell("grep ' /run/stayput ' /proc/mounts")?;
    assert!(!released.ok(), "{released}");
    assert_eq!(command_with(&mut machine, WORDS)?, wrong);
    let at_home = machine.shell("stayput passphrase list; sync")?;
    assert!(!at_home.text.contains("Halima"), "{at_home}");

    let log = comes_back_from_duress(&mut machine, &stick)?;
    let left = "Keys on plugged sticks: 0 destroyed, 1 left.";
    assert!(log.contains(left), "{log}");
    Ok(())
}

#[test]
fn the_recovery_code_brings_a_server_back_that_was_reset() -> Result {
    let home = Place::home()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_networked_shell_at(&home)?;
    let code = RecoveryCode::written_down(&mut machine, "bank safe")?;
    let groups = code.groups();
    let said = machine.shell("stayput reset --yes && sync")?.success()?;
    assert!(said.contains("the recovery code"), "{said}");

    machine.boot_at(&home)?;
    machine
        .console()
        .wait_for("This server was reset", minutes(2))?;
    machine.console().wait_for("0  code", seconds(10))?;
    machine.wait_for_prompt()?;
    machine.console().type_line("remember")?;
    machine.wait_for_prompt()?;
    machine.console().type_line("code")?;
    machine.console().wait_for("Group 1 of 9: ", seconds(30))?;
    enter(&mut machine, "ccccccca", "Group 1 has a letter")?;
    machine.console().wait_for("Group 1 of 9: ", seconds(30))?;
    // In groups or several at once, upper case or lower case.
    machine.console().type_line(&groups[0].to_uppercase())?;
    machine.console().wait_for("Group 2 of 9: ", seconds(30))?;
    machine.console().type_line(&groups[1..].join("-"))?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let console = machine.console().transcript();
    for group in groups {
        assert!(
            !console.to_lowercase().contains(group.as_str()),
            "{console}"
        );
    }
    // The place was remembered.
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    let log = machine.shell("stayput log")?.success()?;
    assert!(log.contains("Opened with the recovery code."), "{log}");
    Ok(())
}

#[test]
fn a_command_that_waits_for_a_code_leaves_no_core() -> Result {
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&Place::empty()?)?;
    let said = machine
        .shell(
            "mkfifo /run/nobody; stayput policy --code --passphrase-stdin </run/nobody & \
             exec 9>/run/nobody; sleep 1; grep VmLck /proc/$!/status; \
             grep core /proc/$!/limits; exec 9>&-; wait",
        )?
        .text;
    let number = |name: &str| {
        let line = said
            .lines()
            .find(|line| line.contains(name))
            .unwrap_or(&said);
        line.split_whitespace()
            .find_map(|word| word.parse::<u64>().ok())
    };
    assert!(
        number("VmLck").is_some_and(|kilobytes| kilobytes > 0),
        "{said}"
    );
    assert_eq!(number("core file size"), Some(0), "{said}");
    Ok(())
}
