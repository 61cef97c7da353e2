//! The questions to the person who sets a server up: five at most, and only about what is
//! not there yet. Nothing is changed before the last one is answered.

mod backup_stick;
mod stations;

use super::answers::{Answers, KeyServer};
use super::facts::Facts;
use super::plan::UNTRIED;
use crate::admin::ask;
use crate::admin::commands::enroll::{same_server, thumbprints};
use crate::admin::commands::init;
use crate::admin::mariadb::SwapChoice;
use crate::admin::names::name;
use crate::admin::problem::{Exit, Problem, Result};
use crate::printable::Printable;
use crate::theft::{OnStrikes, TheftPolicy};
use crate::vault::MAX_SERVERS;
use backup_stick::ask_stick;
pub use backup_stick::{ChosenStick, stick_to_make};

/// How often a mistake at one question is asked about again.
const TRIES: usize = 20;

/// A question, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Name,
    KeyServer,
    Stations,
    WayBack,
    Theft,
}

/// What has to be asked of a server that is so far. Pure.
pub fn questions(facts: &Facts) -> Vec<Question> {
    let vault = facts.vault.as_ref();
    let is_new = vault.is_none();
    let has_place = vault.is_some_and(|vault| vault.has_place);
    let has_all = vault.is_some_and(|vault| vault.has_code && !vault.sticks.is_empty());
    let asked = [
        (Question::Name, is_new),
        (Question::KeyServer, !has_place),
        (Question::Stations, !has_place),
        (Question::WayBack, !has_all),
        // With `init` it is noted in the vault.
        (Question::Theft, is_new),
    ];
    let asked = asked.into_iter().filter(|(_, is_asked)| *is_asked);
    asked.map(|(question, _)| question).collect()
}

/// Asks them all.
///
/// # Errors
/// When the person ends it, or nobody is there.
pub fn ask(facts: &Facts) -> Result<(Answers, Option<ChosenStick>)> {
    let mut answers = Answers::default();
    let mut chosen = None;
    let questions = questions(facts);
    for (at, question) in questions.iter().enumerate() {
        println!("\nQuestion {} of {}", at + 1, questions.len());
        match question {
            Question::Name => ask_name(&mut answers)?,
            Question::KeyServer => ask_key_servers(&mut answers)?,
            Question::Stations => {
                answers.neighbours = stations::ask(answers.key_servers.len())?;
            }
            Question::WayBack => chosen = ask_way_back(facts, &mut answers)?,
            Question::Theft => ask_theft(&mut answers)?,
        }
    }
    if facts.clear_memory.is_some() {
        answers.swap = Some(SwapChoice::Zram);
    }
    Ok((answers, chosen))
}

/// Asks until `read` takes the answer, and says what was wrong with the others.
fn until_right<T>(question: &str, mut read: impl FnMut(&str) -> Result<T>) -> Result<T> {
    for _ in 0..TRIES {
        match read(&ask::line(question)?) {
            Ok(answer) => return Ok(answer),
            Err(problem) => println!("{problem}"),
        }
    }
    Err(no_answer())
}

fn no_answer() -> Problem {
    Problem::refused(
        "None of the answers could be used. Nothing was changed.",
        "Run the command again.",
    )
}

fn not_understood(next: &str) -> Problem {
    Problem::new(Exit::Usage, "That is not understood.", next)
}

fn ask_name(answers: &mut Answers) -> Result<()> {
    let usual = init::usual_name()?;
    let question = format!("What do people call this server? [{}] ", Printable(&usual));
    let named = until_right(&question, |typed| match typed {
        "" => Ok(usual.clone()),
        typed => name(typed).map_err(|why| {
            Problem::new(
                Exit::Usage,
                format!("That is no name: {why}."),
                "Type another one.",
            )
        }),
    })?;
    answers.name = Some(named);
    Ok(())
}

fn ask_key_servers(answers: &mut Answers) -> Result<()> {
    println!("Does a key server (Tang) stand in another room? With one the protection is strong.");
    while answers.key_servers.len() < MAX_SERVERS {
        let question = match answers.key_servers.is_empty() {
            true => "Its address, such as http://192.168.1.5:7500 (Enter: there is none): ",
            false => "Another one (Enter: no more): ",
        };
        let known = &answers.key_servers;
        let added = until_right(question, |typed| match typed {
            "" => Ok(None),
            url if known.iter().any(|known| same_server(&known.url, url)) => Err(not_understood(
                "That one is named already; type another one.",
            )),
            url => key_server(url).map(Some),
        })?;
        match added {
            Some(server) => answers.key_servers.push(server),
            None => break,
        }
    }
    Ok(())
}

fn key_server(url: &str) -> Result<KeyServer> {
    let prints = thumbprints(url)?;
    for print in &prints {
        println!("  its signing key: {print}");
    }
    match ask::yes("Is this what tang-show-keys prints on that server?")? {
        true => Ok(KeyServer {
            url: url.to_owned(),
            thumbprint: prints.into_iter().next().unwrap_or_default(),
        }),
        false => Err(Problem::refused(
            "Then it is another server, or somebody stands in between.",
            "Look at the cable and the address, and type it again.",
        )),
    }
}

/// The stick, its PIN and the code: at least one way back.
fn ask_way_back(facts: &Facts, answers: &mut Answers) -> Result<Option<ChosenStick>> {
    let vault = facts.vault.as_ref();
    let has_stick = vault.is_some_and(|vault| !vault.sticks.is_empty());
    let has_code = vault.is_some_and(|vault| vault.has_code);
    let mut chosen = None;
    if !has_stick {
        println!(
            "A backup stick opens the server where nothing else does. Nothing else on it is \
             touched."
        );
        if vault.is_some_and(|vault| vault.has_untried_sticks) {
            println!("{UNTRIED}");
        }
        if let Some((stick, of_person)) = ask_stick()? {
            answers.stick = Some(stick);
            chosen = Some(of_person);
        }
    }
    if !has_code {
        let must = !has_stick && answers.stick.is_none();
        answers.code = must || ask::yes("Write the recovery code on paper as well?")?;
        if must {
            println!("Without a stick the recovery code is shown, to be written on paper.");
        }
    }
    Ok(chosen)
}

fn ask_theft(answers: &mut Answers) -> Result<()> {
    println!(
        "When it was started in foreign places {} times, this server can destroy the key on its \
         own disk:\nonly a backup stick or the code opens it then. A false alarm costs a walk, no \
         data.",
        TheftPolicy::default().strikes
    );
    let wish = match ask::yes("Shall it?")? {
        true => OnStrikes::Reset,
        false => OnStrikes::Halt,
    };
    answers.on_strikes = Some(wish);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::setup::facts::{Database, FoundStick, FoundVault};

    const NEW: Facts = Facts {
        vault: None,
        unnamed: Vec::new(),
        needs_lost_key: None,
        database: Database::Clear,
        clear_memory: None,
        is_installed: false,
        waits_for_release: false,
        parts: 4,
    };

    #[test]
    fn five_questions_at_most_and_none_twice() {
        use Question::{KeyServer, Name, Stations, Theft, WayBack};
        assert_eq!(questions(&NEW), [Name, KeyServer, Stations, WayBack, Theft]);
        let mut vault = FoundVault::default();
        let asked = |vault: &FoundVault| {
            let vault = Some(vault.clone());
            questions(&Facts { vault, ..NEW })
        };
        assert_eq!(asked(&vault), [KeyServer, Stations, WayBack]);
        vault.has_place = true;
        assert_eq!(asked(&vault), [WayBack]);
        vault.sticks.push(FoundStick {
            label: "office".into(),
            kept: None,
            is_plugged: true,
        });
        assert_eq!(asked(&vault), [WayBack], "the code is left");
        vault.has_code = true;
        assert_eq!(asked(&vault), []);
    }
}
