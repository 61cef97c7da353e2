//! `stayput setup`: all commands that set a server up, in their order, with a few
//! questions or a file of answers. [`facts`] looks at what is there, [`plan`] says what
//! is left to do. A run that was interrupted leaves nothing that the next one would not
//! see: that one goes on.

mod answers;
mod facts;
mod new_server;
mod plan;
mod questions;
mod wrong_clock;

use std::fs::File;
use std::io::{IsTerminal, Read, stdin, stdout};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use zeroize::Zeroizing;

use crate::admin::ask::{self, Pin};
use crate::admin::commands::{init, stick};
use crate::admin::lock_file;
use crate::admin::mariadb::enable::wait_for_earlier_run;
use crate::admin::output;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::root::as_typed;
use crate::stick::{PIN_MAX, stick_with};
pub use new_server::restore as restore_on_new_server;

use answers::{Answers, MAX_BYTES, NewStick, PinFrom};
use facts::Facts;
use plan::{Attendance, Plan, Step, StepKind, plan, refuse_lost_vault};

/// Held while a server is set up.
const LOCK: &str = "/run/stayput-setup.lock";

#[derive(clap::Args, Debug)]
pub struct SetupOptions {
    /// Take the answers from this file, and ask nothing (docs/setup.md)
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs one command line of `stayput`, with the PIN of a new stick where it makes one.
pub type RunCommand<'a> = &'a dyn Fn(&[String], Option<&Pin>) -> Result<ExitCode>;

/// Runs `stayput setup`. Ends as `stayput check` does.
///
/// # Errors
/// When nobody is there to answer, or a step fails: the next run goes on there.
pub fn run(options: &SetupOptions, command: RunCommand) -> Result<ExitCode> {
    let given = options.answers.as_deref().map(read_answers).transpose()?;
    // The recovery code is shown on standard output, and no file may get it.
    if given.is_none() && !(stdin().is_terminal() && stdout().is_terminal()) {
        return Err(Problem::new(
            Exit::Usage,
            "Nobody is here to answer the questions. Nothing was changed.",
            "Run the command in a terminal, without a pipe, or give it a file: --answers FILE",
        ));
    }
    let _alone = lock_file::only_one(LOCK, "`stayput setup`")?;
    println!("Looking at what is there ...");
    let facts = Facts::gather()?;
    refuse_lost_vault(&facts)?;
    let place = match facts.vault {
        Some(_) => None,
        None => {
            let named = given.as_ref().and_then(|answers| answers.vault.as_deref());
            Some(init::place_of_vault(named)?)
        }
    };
    let attendance = match given {
        Some(_) => Attendance::Nobody,
        None => Attendance::Person,
    };
    let (mut answers, chosen) = match given {
        Some(answers) => (answers, None),
        None => {
            println!(
                "Nothing is changed before all questions are answered; Ctrl-C leaves everything \
                 as it is."
            );
            questions::ask(&facts)?
        }
    };
    let place = place.map(|(place, path)| {
        answers.vault = path;
        place
    });
    // What was chosen is what the key is put on, however long the rest takes.
    let (seen, pin) = chosen.map(|chosen| (chosen.seen, chosen.pin)).unzip();
    let stick = answers.stick.as_ref();
    let stick = stick
        .and_then(|new| questions::stick_to_make(new, seen, stick_with))
        .transpose()?;
    let plan = plan(&facts, &answers, attendance)?;
    print!("{}", shown(&plan, place.as_deref()));
    if let Some(warning) = wrong_clock::warning() {
        println!("\n{warning}");
    }
    if options.dry_run {
        println!("Nothing was changed.");
        return Ok(ExitCode::SUCCESS);
    }
    let pin = match (&answers.stick, pin) {
        (Some(stick), None) if plan.has(StepKind::Stick) => checked_stick(stick)?,
        (_, pin) => pin,
    };
    if attendance == Attendance::Person && !plan.steps.is_empty() {
        ask::confirm("Do this now?", false)?;
    }
    let mut later = plan.later.clone();
    if answers.stick.as_ref().is_some_and(has_pin_on_disk) {
        later.push(PIN_STAYS);
    }
    for (at, step) in plan.steps.iter().enumerate() {
        println!(
            "\n[{}/{}] {}",
            at + 1,
            plan.steps.len(),
            as_typed(&typed(step))
        );
        output::flush();
        let same = || match &stick {
            Some((stick, device)) if step.kind == StepKind::Stick => {
                stick::must_still_be(stick, device)
            }
            _ => Ok(()),
        };
        let command: RunCommand = &|words, pin| same().and_then(|()| command(words, pin));
        match step.waits {
            Some(waits) if !is_taken_out()? => later.push(waits),
            _ => perform(step, attendance, pin.as_ref(), command)?,
        }
    }
    finish(&later, command)
}

/// The end of every run: what is to lie in the drawer, and would the next boot open. That
/// comes last: what stands above it may have left the screen.
fn finish(later: &[&'static str], command: RunCommand) -> Result<ExitCode> {
    println!("\nFor the drawer beside the server (stayput sheet prints it again):\n");
    command(&words(&["sheet"]), None)?;
    println!();
    for sentence in later {
        println!("{sentence}");
    }
    println!("What the next boot will do:");
    command(&words(&["check"]), None)
}

fn words(words: &[&str]) -> Vec<String> {
    let words = ["stayput"].iter().chain(words);
    words.map(|word| (*word).to_owned()).collect()
}

fn typed(step: &Step) -> Vec<String> {
    let command = std::iter::once("stayput".to_owned());
    command.chain(step.words.iter().cloned()).collect()
}

/// Has the person take the stick out. Who sits far away from the server cannot.
fn is_taken_out() -> Result<bool> {
    let answer = ask::line(
        "Take the stick out of the server now, then press Enter (or type later, to do this another \
         time): ",
    )?;
    Ok(!answer.eq_ignore_ascii_case("later"))
}

/// Does one step. A person is asked whether to try it again when it fails.
fn perform(
    step: &Step,
    attendance: Attendance,
    pin: Option<&Pin>,
    command: RunCommand,
) -> Result<()> {
    let pin = pin.filter(|_| step.kind == StepKind::Stick);
    loop {
        if step.kind == StepKind::Database {
            wait_for_earlier_run();
        }
        let problem = match command(&typed(step), pin) {
            Ok(_) => return Ok(()),
            Err(problem) => problem,
        };
        if attendance == Attendance::Nobody {
            return Err(Problem {
                exit: Exit::Incomplete,
                ..problem
            });
        }
        println!("{problem}");
        if !ask::yes("Try this step again?")? {
            return Err(Problem::new(
                Exit::Incomplete,
                "The server is not set up yet.",
                "Run `stayput setup` again: it goes on where it has stopped.",
            ));
        }
    }
}

/// What will be done, a line for each step and its command below.
fn shown(plan: &Plan, place: Option<&str>) -> String {
    if plan.steps.is_empty() {
        return "Nothing is left to be done.\n".into();
    }
    let mut text = String::from("\nThis will be done:\n");
    for (at, step) in plan.steps.iter().enumerate() {
        let title = step.kind.title();
        let place = place.filter(|_| step.kind == StepKind::Vault);
        let place = place.map_or_else(String::new, |place| format!(", in {place}"));
        text += &format!(
            "  {}. {title}{place}\n     {}\n",
            at + 1,
            as_typed(&typed(step))
        );
    }
    text
}

impl Plan {
    fn has(&self, kind: StepKind) -> bool {
        self.steps.iter().any(|step| step.kind == kind)
    }
}

fn read_answers(path: &Path) -> Result<Answers> {
    const NEXT: &str = "It is a text file of at most 16 KB: docs/setup.md";
    let wrong = |what: &str| {
        let what = format!("{} {what}. Nothing was changed.", path.display());
        Problem::new(Exit::Usage, what, NEXT)
    };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    // A part of it would be another one.
    if text.len() as u64 > MAX_BYTES {
        return Err(wrong("is too long"));
    }
    Answers::parse(&text, path)
}

/// The PIN of the stick that is to be made, before anything is changed: both must be
/// there and of use.
fn checked_stick(new: &NewStick) -> Result<Option<Pin>> {
    stick::must_be_usable_stick(&new.device)?;
    let pin = match &new.pin {
        PinFrom::Person | PinFrom::Nowhere => return Ok(None),
        PinFrom::Stdin => ask::pin("PIN of the new stick: ", !stdin().is_terminal())?,
        PinFrom::File(path) => first_line(path)?,
    };
    stick::must_be_usable(&pin)?;
    Ok(Some(pin))
}

const PIN_STAYS: &str = "The PIN stands in the file that stick-pin names, on the disk: whoever \
                         has the server and the stick reads it there. Remove the file when the \
                         stick is made.";

/// Whether a file on a disk holds its PIN.
fn has_pin_on_disk(stick: &NewStick) -> bool {
    match &stick.pin {
        PinFrom::File(path) => {
            path.is_file() && !statfs(path).is_ok_and(|fs| fs.filesystem_type() == TMPFS_MAGIC)
        }
        PinFrom::Person | PinFrom::Stdin | PinFrom::Nowhere => false,
    }
}

/// What some editors write in front of a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

fn first_line(path: &Path) -> Result<Pin> {
    // Not the path: somebody may have written the PIN in its place.
    let wrong = |what: &str| {
        Problem::new(
            Exit::Usage,
            format!("The file that stick-pin names {what}. Nothing was changed."),
            "Write the PIN into a file that only root reads, in its first line.",
        )
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * PIN_MAX));
    let read = File::open(path).and_then(|file| {
        let limit = bytes.capacity() as u64;
        let mode = file.metadata()?.permissions().mode();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(mode)
    });
    let mode = read.map_err(|_| wrong("cannot be read"))?;
    // Whoever has read it needs the stick alone.
    if mode & 0o077 != 0 {
        return Err(wrong("can be read by others than its owner"));
    }
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.len() > PIN_MAX {
        true => Err(wrong("has a first line that is too long")),
        false => Ok(Pin::new(line.to_vec())),
    }
}

/// The words of every step that a plan can have, behind `stayput`.
#[cfg(test)]
pub fn every_step() -> Vec<Vec<String>> {
    let steps = plan::tests::every_step().into_iter();
    let steps = steps.map(|step| step.words);
    steps.chain(new_server::every_step()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    fn read(text: &[u8], mode: u32) -> std::result::Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        match first_line(&path) {
            Ok(pin) => Ok(pin.to_vec()),
            Err(problem) => Err(problem.what),
        }
    }

    #[test]
    fn pin_from_another_editor_is_the_one_that_is_typed() {
        for text in [&b"4711"[..], b"4711\r\nmore\n", "\u{feff}4711\n".as_bytes()] {
            assert_eq!(read(text, 0o600), Ok(b"4711".to_vec()));
        }
        assert!(
            stick::must_be_usable(b"4711 ").is_err(),
            "nobody sees the blank"
        );
    }

    #[test]
    fn pin_that_others_can_read_is_none() {
        for mode in [0o644, 0o640, 0o604] {
            let refused = read(b"4711\n", mode).unwrap_err();
            assert!(refused.contains("read by others"), "{refused}");
        }
    }

    #[test]
    fn a_part_of_the_answers_is_not_taken_for_all_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers");
        let comment = "# for the fleet\n".repeat(1200);
        fs::write(&path, format!("name = clinic\n{comment}database = leave\n")).unwrap();
        let refused = read_answers(&path).unwrap_err();
        assert!(refused.what.contains("too long"), "{refused}");
    }
}
