//! The questions to the person who sets a server up: five at most, and only about what is
//! not there yet. Nothing is changed before the last one is answered.

use std::path::PathBuf;

use super::answers::{Answers, KeyServer, Neighbours, NewStick, PinFrom};
use super::facts::Facts;
use super::plan::UNTRIED;
use crate::admin::ask::{self, Pin};
use crate::admin::commands::enroll::{FoundStation, found_stations, thumbprints};
use crate::admin::commands::stick::StickVolume;
use crate::admin::commands::{init, stick};
use crate::admin::mariadb::SwapChoice;
use crate::admin::names::name;
use crate::admin::problem::{Exit, Problem, Result};
use crate::printable::Printable;
use crate::theft::{OnStrikes, TheftPolicy};

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
pub fn ask(facts: &Facts) -> Result<(Answers, Option<Pin>)> {
    let mut answers = Answers::default();
    let mut pin = None;
    let questions = questions(facts);
    for (at, question) in questions.iter().enumerate() {
        println!("\nQuestion {} of {}", at + 1, questions.len());
        match question {
            Question::Name => ask_name(&mut answers)?,
            Question::KeyServer => ask_key_servers(&mut answers)?,
            Question::Stations => ask_stations(&mut answers)?,
            Question::WayBack => pin = ask_way_back(facts, &mut answers)?,
            Question::Theft => ask_theft(&mut answers)?,
        }
    }
    if facts.clear_memory.is_some() {
        answers.swap = Some(SwapChoice::Zram);
    }
    Ok((answers, pin))
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

fn yes(question: &str) -> Result<bool> {
    until_right(&format!("{question} [yes/no] "), |typed| match typed {
        "yes" | "y" => Ok(true),
        "no" | "n" => Ok(false),
        _ => Err(not_understood("Type yes or no.")),
    })
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
    loop {
        let question = match answers.key_servers.is_empty() {
            true => "Its address, such as http://192.168.1.5:7500 (Enter: there is none): ",
            false => "Another one (Enter: no more): ",
        };
        let added = until_right(question, |typed| match typed {
            "" => Ok(None),
            url => key_server(url).map(Some),
        })?;
        match added {
            Some(server) => answers.key_servers.push(server),
            None => return Ok(()),
        }
    }
}

fn key_server(url: &str) -> Result<KeyServer> {
    let prints = thumbprints(url)?;
    for print in &prints {
        println!("  its signing key: {print}");
    }
    match yes("Is this what tang-show-keys prints on that server?")? {
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

fn ask_stations(answers: &mut Answers) -> Result<()> {
    println!("Which stations are always here, also at night and after a power cut?");
    for _ in 0..TRIES {
        println!("Looking around ...");
        let found = found_stations();
        print!("{}", list(&found));
        let question = match found.is_empty() {
            true => "Connect the server to its network, then press Enter: ",
            false => "Enter: those with a star; or numbers such as 1 3; or again: ",
        };
        let has_servers = !answers.key_servers.is_empty();
        let chosen = until_right(question, |typed| chosen(typed, &found, has_servers))?;
        if let Some(chosen) = chosen {
            answers.neighbours = chosen;
            return Ok(());
        }
    }
    Err(no_answer())
}

fn list(found: &[FoundStation]) -> String {
    if found.is_empty() {
        return "  Nobody answers. A stolen server would open anywhere.\n".into();
    }
    let lines = found.iter().enumerate().map(|(at, station)| {
        let star = if station.is_usual { "*" } else { " " };
        let address = station.address.to_string();
        let what = Printable(&station.description).to_string();
        format!("  {star} {:>2}  {address:<26} {what}", at + 1)
            .trim_end()
            .to_owned()
            + "\n"
    });
    lines.collect()
}

/// What was typed below the list of stations; `None`: look again. Pure.
fn chosen(typed: &str, found: &[FoundStation], has_servers: bool) -> Result<Option<Neighbours>> {
    let usual = || found.iter().filter(|station| station.is_usual);
    let named = |stations: Vec<&FoundStation>| {
        Neighbours::Named(
            stations
                .into_iter()
                .map(|station| station.address)
                .collect(),
        )
    };
    match typed {
        "again" => return Ok(None),
        "none" if has_servers => return Ok(Some(Neighbours::None)),
        "" if usual().count() == 0 => return Ok(None),
        "" => return Ok(Some(named(usual().collect()))),
        _ => {}
    }
    let words = typed.split([' ', ',']).filter(|word| !word.is_empty());
    let stations = words.map(|word| {
        let at: Option<usize> = word.parse().ok();
        at.and_then(|at| found.get(at.checked_sub(1)?))
    });
    let mut stations: Vec<&FoundStation> = stations.collect::<Option<_>>().ok_or_else(|| {
        not_understood("Type the numbers in front of the stations, for example: 1 3")
    })?;
    stations.sort_by_key(|station| station.address);
    stations.dedup();
    Ok(Some(named(stations)))
}

/// The stick, its PIN and the code: at least one way back.
fn ask_way_back(facts: &Facts, answers: &mut Answers) -> Result<Option<Pin>> {
    let vault = facts.vault.as_ref();
    let has_stick = vault.is_some_and(|vault| !vault.sticks.is_empty());
    let has_code = vault.is_some_and(|vault| vault.has_code);
    let mut pin = None;
    if !has_stick {
        println!(
            "A backup stick opens the server where nothing else does. Nothing else on it is \
             touched."
        );
        if vault.is_some_and(|vault| vault.has_untried_sticks) {
            println!("{UNTRIED}");
        }
        if let Some((stick, typed)) = ask_stick()? {
            answers.stick = Some(stick);
            pin = Some(typed);
        }
    }
    if !has_code {
        let must = !has_stick && answers.stick.is_none();
        answers.code = must || yes("Write the recovery code on paper, at the end?")?;
        if must {
            println!("Without a stick the recovery code is shown, to be written on paper.");
        }
    }
    Ok(pin)
}

/// `None` where there is to be no stick.
fn ask_stick() -> Result<Option<(NewStick, Pin)>> {
    let Some(device) = ask_device()? else {
        return Ok(None);
    };
    let label = until_right("What stands on it, such as office: ", |typed| {
        name::<32>(typed).map_err(|why| {
            Problem::new(
                Exit::Usage,
                format!("That is no label: {why}."),
                "Type another one.",
            )
        })
    })?;
    let pin = ask_pin()?;
    let question = "Where will it be kept, in words, such as bank safe (Enter: not said): ";
    let kept = until_right(question, |typed| match typed {
        "" => Ok(None),
        typed => name(typed).map(Some).map_err(|why| {
            Problem::new(
                Exit::Usage,
                format!("That is no place: {why}."),
                "Say it otherwise.",
            )
        }),
    })?;
    let stick = NewStick {
        device,
        label: label.as_str().to_owned(),
        pin: PinFrom::Person,
        kept,
    };
    Ok(Some((stick, pin)))
}

fn ask_device() -> Result<Option<PathBuf>> {
    for _ in 0..TRIES {
        let volumes = stick::plugged_volumes();
        let offered = offered(&volumes);
        for volume in &volumes {
            println!("  {}", volume.in_words());
        }
        let device = match (ask::line(&offered.question)?.as_str(), offered.usual) {
            ("none", _) => return Ok(None),
            ("", Some(usual)) => usual,
            ("", None) => continue,
            (typed, _) => PathBuf::from(typed),
        };
        match stick::must_be_usable_stick(&device) {
            Ok(_) => return Ok(Some(device)),
            Err(problem) => println!("{problem}"),
        }
    }
    Err(no_answer())
}

/// What is asked below the list of sticks.
struct Offered {
    question: String,
    /// What Enter stands for.
    usual: Option<PathBuf>,
}

/// Enter takes the only stick. One that is mounted is in use, perhaps for something else: it
/// has to be named. Pure.
fn offered(volumes: &[StickVolume]) -> Offered {
    let usual = match volumes {
        [only] if !only.is_mounted() => Some(only.device.clone()),
        _ => None,
    };
    let question = match (&usual, volumes) {
        (_, []) => "Plug a stick in, then press Enter (or type none): ".into(),
        (Some(usual), _) => format!("Which? [{}] (or another name, or none) ", usual.display()),
        (None, _) => "Which? Type its name, such as /dev/sdb1 (or none): ".into(),
    };
    Offered { question, usual }
}

fn ask_pin() -> Result<Pin> {
    for _ in 0..TRIES {
        match stick::new_pin(false) {
            // Escape and Ctrl-C end it; a mistake does not.
            Err(problem) if problem.exit == Exit::Usage => println!("{problem}"),
            typed => return typed,
        }
    }
    Err(no_answer())
}

fn ask_theft(answers: &mut Answers) -> Result<()> {
    println!(
        "When it was started in foreign places {} times, this server can destroy the key on its \
         own disk:\nonly a backup stick or the code opens it then. A false alarm costs a walk, no \
         data.",
        TheftPolicy::default().strikes
    );
    let wish = match yes("Shall it?")? {
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
            is_kept_known: false,
        });
        assert_eq!(asked(&vault), [WayBack], "the code is left");
        vault.has_code = true;
        assert_eq!(asked(&vault), []);
    }

    #[test]
    fn a_stick_in_use_is_no_answer_to_enter() {
        let free = StickVolume::example("/dev/sdb1", &[]);
        let used = StickVolume::example("/dev/sdc1", &["/media/backup"]);
        let only = offered(std::slice::from_ref(&free));
        assert_eq!(only.usual.as_deref(), Some(free.device.as_path()));
        for volumes in [vec![], vec![used.clone()], vec![free, used]] {
            let offered = offered(&volumes);
            assert_eq!(offered.usual, None, "{}", offered.question);
        }
    }

    fn station(last: u8, is_usual: bool) -> FoundStation {
        FoundStation {
            address: [192, 168, 1, last].into(),
            description: "router".into(),
            is_usual,
        }
    }

    #[test]
    fn stations_are_chosen_by_their_numbers() {
        let found = [station(1, true), station(2, false), station(3, true)];
        let named = |last: &[u8]| {
            let addresses = last.iter().map(|last| [192, 168, 1, *last].into());
            Some(Neighbours::Named(addresses.collect()))
        };
        let typed = |typed| chosen(typed, &found, false).ok();
        assert_eq!(typed(""), Some(named(&[1, 3])));
        assert_eq!(typed("2"), Some(named(&[2])));
        assert_eq!(typed("3, 2 2"), Some(named(&[2, 3])));
        assert_eq!(typed("again"), Some(None));
        for wrong in ["4", "0", "all", "1 x", "none"] {
            assert_eq!(typed(wrong), None, "{wrong}");
        }
        let alone = chosen("none", &found, true).ok();
        assert_eq!(alone, Some(Some(Neighbours::None)));
        // Nobody answers: it looks again.
        assert_eq!(chosen("", &[], false).ok(), Some(None));
    }

    #[test]
    fn hostile_name_of_a_station_stays_in_its_line() {
        let mut hostile = station(1, true);
        hostile.description = "a\x1b[2J\nb".into();
        assert_eq!(list(&[hostile]).lines().count(), 1);
    }
}
