//! `stayput setup`: all commands that set a server up, in their order, with a few
//! questions or a file of answers. [`facts`] looks at what is there, [`plan`] says what
//! is left to do. A run that was interrupted leaves nothing that the next one would not
//! see: that one goes on.

mod answers;
mod facts;
mod plan;
mod questions;

use std::fs::File;
use std::io::{IsTerminal, Read, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zeroize::Zeroizing;

use crate::admin::ask::{self, Pin};
use crate::admin::commands::{init, stick};
use crate::admin::lock_file;
use crate::admin::mariadb::enable::wait_for_earlier_run;
use crate::admin::output;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::root::as_typed;
use crate::stick::{PIN_MAX, stick_with};
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
    let (mut answers, pin) = match given {
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
    // What is shown now is what the key is put on, however long the steps before take.
    let stick = answers.stick.as_ref();
    let stick = stick.and_then(|new| Some((stick_with(&new.device)?, new.device.clone())));
    let plan = plan(&facts, &answers, attendance)?;
    print!("{}", shown(&plan, place.as_deref()));
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
        perform(step, attendance, pin.as_ref(), command)?;
    }
    finish(&plan, command)
}

/// The end of every run: would the next boot open, and what is to lie in the drawer.
fn finish(plan: &Plan, command: RunCommand) -> Result<ExitCode> {
    println!("\nWhat the next boot will do:");
    let checked = command(&words(&["check"]), None)?;
    for sentence in &plan.later {
        println!("{sentence}");
    }
    println!("\nFor the drawer beside the server (stayput sheet prints it again):\n");
    command(&words(&["sheet"]), None)?;
    Ok(checked)
}

fn words(words: &[&str]) -> Vec<String> {
    let words = ["stayput"].iter().chain(words);
    words.map(|word| (*word).to_owned()).collect()
}

fn typed(step: &Step) -> Vec<String> {
    let command = std::iter::once("stayput".to_owned());
    command.chain(step.words.iter().cloned()).collect()
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
        if step.kind == StepKind::Policy && attendance == Attendance::Person {
            ask::line("Take the stick out of the server now, then press Enter: ")?;
        }
        let problem = match command(&typed(step), pin) {
            Ok(_) => return Ok(()),
            Err(problem) if attendance == Attendance::Nobody => return Err(problem),
            Err(problem) => problem,
        };
        println!("{problem}");
        if ask::confirm("Try this step again?", false).is_err() {
            return Err(Problem::new(
                problem.exit,
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
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
    read.map_err(|error| {
        Problem::new(
            Exit::Usage,
            format!(
                "{} cannot be read: {error}. Nothing was changed.",
                path.display()
            ),
            "It is a text file of at most 16 KB: docs/setup.md",
        )
    })?;
    Answers::parse(&text, path)
}

/// The PIN of the stick that is to be made, before anything is changed: both must be
/// there and of use.
fn checked_stick(new: &NewStick) -> Result<Option<Pin>> {
    stick::must_be_usable_stick(&new.device)?;
    let pin = match &new.pin {
        PinFrom::Person | PinFrom::Nowhere => return Ok(None),
        PinFrom::Stdin => ask::pin("", true)?,
        PinFrom::File(path) => first_line(path)?,
    };
    stick::must_be_usable(&pin)?;
    Ok(Some(pin))
}

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
        file.take(limit).read_to_end(&mut bytes)
    });
    read.map_err(|_| wrong("cannot be read"))?;
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
    steps.map(|step| step.words).collect()
}
