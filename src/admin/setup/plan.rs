//! What is left to be done: a function of what is there and what is wanted. Pure. A step
//! is a command line of `stayput`, as the owner could type it.

pub mod command_lines;
mod policy;

use core::net::IpAddr;

use super::answers::{Answers, Neighbours, NewStick};
use super::facts::{Database, Facts, FoundVault};
use crate::admin::commands::enroll::literal_address;
use crate::admin::commands::init::refuse_beside;
use crate::admin::problem::{Problem, Result};
use crate::environment::most_neighbours;
use crate::theft::OnStrikes;
use command_lines::{enable, enroll, init, line, stick_make};
use policy::policy;

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    Vault,
    Place,
    Stick,
    Code,
    /// What a theft means; needs a way back that is not plugged in.
    Policy,
    /// Before the database: one that is encrypted needs it at the next boot.
    Stage,
    Database,
    /// The keys of a database that is stopped.
    Release,
}

impl StepKind {
    /// What it does, for the owner.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Vault => "make the vault and the key",
            Self::Place => "remember this machine and this place",
            Self::Stick => "put the key on a backup stick",
            Self::Code => "show the recovery code, to be written down",
            Self::Policy => "note where the way back is kept, and what a theft means",
            Self::Database => "encrypt the database, and put the gate in front of it",
            Self::Stage => "put the boot stage into the initramfs",
            Self::Release => "put the keys into memory, and start the database",
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub kind: StepKind,
    /// The command line, without `stayput`.
    pub words: Vec<String>,
    /// It can only be done once the stick is out of the server: what is said where that is
    /// for later.
    pub waits: Option<&'static str>,
}

/// Who is there while it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attendance {
    /// A person at a terminal, who answers and takes the stick out.
    Person,
    Nobody,
}

/// Everything that is left to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// What cannot be done now, in sentences.
    pub later: Vec<&'static str>,
}

impl Plan {
    fn add(&mut self, kind: StepKind, words: Vec<String>) {
        self.steps.push(Step {
            kind,
            words,
            waits: None,
        });
    }
}

/// What to do about sticks that count for nothing yet.
pub const UNTRIED: &str = "The vault lists a stick that was not tried yet, or not since a reset, \
                           which may have wiped it. If you have it: stayput stick verify DEVICE. \
                           Else plug in another one and name it.";

const NOT_RELEASED: &str = "MariaDB is stopped, and its keys are not in memory. Is the server \
                            where it belongs? stayput release";
const NOT_ENROLLED: &str = "The answers name neighbours or key servers that are not enrolled: \
                            these are not in force. To have them, enroll the place again, with \
                            everything that it is to have: stayput enroll --neighbour ADDRESS \
                            --tang URL";
const NO_DATABASE: &str = "MariaDB is not installed here. When it is, run the command again.";

/// Makes the plan.
///
/// # Errors
/// Where doing it would lose something, or leave no way back. Nothing was changed.
pub fn plan(facts: &Facts, answers: &Answers, attendance: Attendance) -> Result<Plan> {
    refuse_what_would_harm(facts, answers)?;
    let new = FoundVault::default();
    let vault = facts.vault.as_ref().unwrap_or(&new);
    let is_attended = attendance == Attendance::Person;
    let mut plan = Plan::default();

    let wants_reset = answers.on_strikes == Some(OnStrikes::Reset);
    if facts.vault.is_none() {
        plan.add(StepKind::Vault, init(answers, wants_reset));
    }
    if !vault.has_place {
        plan.add(StepKind::Place, enroll(answers));
    }
    let new_stick = answers
        .stick
        .as_ref()
        .filter(|stick| !is_made(vault, stick));
    if let Some(stick) = new_stick {
        plan.add(StepKind::Stick, stick_make(stick));
    }
    let shows_code = answers.code && !vault.has_code && is_attended;
    if shows_code {
        plan.add(StepKind::Code, line(&["code"]));
    }
    let (step, waits) = policy(vault, answers, shows_code, is_attended);
    plan.steps.extend(step);
    if !facts.is_installed {
        plan.add(StepKind::Stage, line(&["install"]));
    }
    let is_left = answers.leaves_database;
    match facts.database {
        Database::Clear | Database::Interrupted if !is_left => {
            plan.add(StepKind::Database, enable(facts, answers, is_attended));
        }
        _ => {}
    }
    // An alarm may have taken them: whether the server is where it belongs a person says.
    if facts.waits_for_release && facts.database == Database::Encrypted {
        match is_attended {
            true => plan.add(StepKind::Release, line(&["release"])),
            false => plan.later.push(NOT_RELEASED),
        }
    }
    // To enroll a place anew takes from it what the answers do not name.
    if vault.has_place && names_more(answers, vault) {
        plan.later.push(NOT_ENROLLED);
    }
    plan.later.extend(waits);
    if facts.database == Database::Absent && !is_left {
        plan.later.push(NO_DATABASE);
    }
    Ok(plan)
}

/// Refuses where a vault stands that no file names, and where a new one would have
/// another key than the database needs.
///
/// # Errors
/// What names the vault, or makes it anew.
pub fn refuse_lost_vault(facts: &Facts) -> Result<()> {
    refuse_beside(&facts.unnamed)?;
    match (&facts.vault, &facts.needs_lost_key) {
        (None, Some(why)) => Err(Problem::refused(
            format!(
                "{why} The vault with its key is lost, and a new one would not open it. Nothing \
                 was changed."
            ),
            "A backup stick or the code makes the vault anew: stayput init --from-stick DEVICE, or \
             --from-code. Then run the command again.",
        )),
        _ => Ok(()),
    }
}

fn refuse_what_would_harm(facts: &Facts, answers: &Answers) -> Result<()> {
    refuse_lost_vault(facts)?;
    if let (Some(vault), Some(name)) = (&facts.vault, &answers.name)
        && vault.name != *name
    {
        return Err(Problem::refused(
            format!(
                "This server is called \"{}\", and not \"{name}\". Nothing was changed.",
                vault.name
            ),
            "Are these the answers of another server? Else take the line with the name out.",
        ));
    }
    let has_way_back = facts
        .vault
        .as_ref()
        .is_some_and(|vault| vault.has_code || !vault.sticks.is_empty());
    if !has_way_back && answers.stick.is_none() && !answers.code {
        let has_untried = facts.vault.as_ref();
        let has_untried = has_untried.is_some_and(|vault| vault.has_untried_sticks);
        return Err(Problem::refused(
            "Without a backup stick and without a recovery code there would be NO WAY BACK: a \
             reset, or a place that changes, would lose the data for ever. Nothing was changed.",
            match has_untried {
                true => UNTRIED,
                false => "Plug in a stick and name it.",
            },
        ));
    }
    let has_place = facts.vault.as_ref().is_some_and(|vault| vault.has_place);
    if let (false, Neighbours::Named(named)) = (has_place, &answers.neighbours) {
        let servers = answers.key_servers.len().try_into().unwrap_or(u8::MAX);
        let most = most_neighbours(facts.parts, servers);
        if named.len() > most.into() {
            return Err(Problem::refused(
                format!(
                    "{} neighbours are named, and this server can be bound to {most} at most. \
                     Nothing was changed.",
                    named.len()
                ),
                "Name those that are switched on at all times.",
            ));
        }
    }
    let encrypts = !answers.leaves_database
        && matches!(facts.database, Database::Clear | Database::Interrupted);
    if let (true, None, Some(what)) = (encrypts, answers.swap, &facts.clear_memory) {
        return Err(Problem::refused(
            what.clone(),
            "Say what shall take its place: swap = zram, random-key or off.",
        ));
    }
    Ok(())
}

/// Whether the answers name neighbours or key servers that are not enrolled: they were
/// added later. Names are not looked up; more servers than are enrolled are more.
fn names_more(answers: &Answers, vault: &FoundVault) -> bool {
    let named = match &answers.neighbours {
        Neighbours::Named(addresses) => &addresses[..],
        Neighbours::Found | Neighbours::None => &[],
    };
    let is_new = |address: &IpAddr| !vault.neighbours.contains(address);
    let servers = &answers.key_servers;
    let mut addresses = servers
        .iter()
        .filter_map(|server| literal_address(&server.url));
    named.iter().any(is_new)
        || servers.len() > vault.key_servers.len()
        || addresses.any(|address| !vault.key_servers.contains(&address))
}

/// Whether the list has this stick as verified. One that was written and not listed, or
/// that a reset may have wiped, is made again.
fn is_made(vault: &FoundVault, stick: &NewStick) -> bool {
    vault.sticks.iter().any(|made| made.label == stick.label)
}

#[cfg(test)]
pub mod tests;
