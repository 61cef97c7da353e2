//! Many servers in few containers. Where something goes wrong in one, those
//! that are named in what was said are tried alone, else its halves.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::servers::{Expected, ServerText};
use super::trial::{Outcome, run};
use crate::{Result, Suite};

/// How many servers share a container.
const TOGETHER: usize = 24;

/// What became of one server on one Debian.
#[derive(Clone, Debug)]
pub struct Finding {
    pub suite: Suite,
    pub server: String,
    /// What is wrong, if anything.
    pub wrong: Option<String>,
    /// "sound", or the refusal in short.
    pub outcome: String,
}

/// Servers that are tried together on one Debian.
pub type Group = (Suite, Vec<ServerText>);

/// Puts servers together that do not disturb each other, those that can be on this
/// system.
pub fn groups(suite: Suite, servers: &[ServerText]) -> Vec<Group> {
    let fit = |server: &&ServerText| server.is_for(suite);
    let (alone, sociable): (Vec<_>, Vec<_>) = servers
        .iter()
        .filter(fit)
        .cloned()
        .partition(|server| server.alone);
    let together = sociable.chunks(TOGETHER).map(|some| (suite, some.to_vec()));
    together
        .chain(alone.into_iter().map(|one| (suite, vec![one])))
        .collect()
}

/// Tries them all, so many at once; `tell` hears of each as it is known.
pub fn try_all(
    groups: Vec<Group>,
    at_once: usize,
    tell: &(dyn Fn(&Finding) + Sync),
) -> Vec<Finding> {
    let waiting = Mutex::new(VecDeque::from(groups));
    let found = Mutex::new(Vec::new());
    // A container ends with the thread that started it: each has its own.
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().pop_front();
                    let Some((suite, servers)) = next else {
                        return;
                    };
                    let servers: Vec<&ServerText> = servers.iter().collect();
                    try_group(suite, &servers, &|finding| {
                        tell(&finding);
                        found.lock().unwrap().push(finding);
                    });
                }
            });
        }
    });
    found.into_inner().unwrap()
}

fn try_group(suite: Suite, servers: &[&ServerText], tell: &dyn Fn(Finding)) {
    let outcome = run(suite, servers);
    if let [server] = servers {
        return tell(judge(suite, server, outcome));
    }
    let said = match &outcome {
        Ok(Outcome::Sound) => {
            for server in servers {
                tell(judge(suite, server, Ok(Outcome::Sound)));
            }
            return;
        }
        Ok(Outcome::Refused(said)) => said.clone(),
        Err(failure) => failure.to_string(),
    };
    let (suspects, others) = suspects(servers, &said);
    for suspect in &suspects {
        try_group(suite, &[suspect], tell);
    }
    if suspects.is_empty() {
        let (left, right) = others.split_at(others.len() / 2);
        try_group(suite, left, tell);
        try_group(suite, right, tell);
    } else if !others.is_empty() {
        try_group(suite, &others, tell);
    }
}

/// Those that are named in what was said, and the others.
fn suspects<'a>(
    servers: &[&'a ServerText],
    said: &str,
) -> (Vec<&'a ServerText>, Vec<&'a ServerText>) {
    let is_named =
        |server: &&ServerText| said.contains(&server.database()) || said.contains(&server.name);
    servers.iter().copied().partition(is_named)
}

fn judge(suite: Suite, server: &ServerText, outcome: Result<Outcome>) -> Finding {
    let (outcome, wrong) = match (&server.expected, outcome) {
        (_, Err(failure)) => ("wrong".into(), Some(failure.to_string())),
        (Expected::Refused { word, .. }, Ok(Outcome::Sound)) => {
            ("sound".into(), Some(format!("no refusal with {word:?}")))
        }
        (_, Ok(Outcome::Sound)) => ("sound".into(), None),
        (Expected::Sound, Ok(Outcome::Refused(said))) => {
            (in_short(&said), Some(format!("refused: {said}")))
        }
        (Expected::Refused { word, .. }, Ok(Outcome::Refused(said))) if !said.contains(word) => (
            in_short(&said),
            Some(format!("refused without {word:?}: {said}")),
        ),
        (_, Ok(Outcome::Refused(said))) => (in_short(&said), None),
    };
    Finding {
        suite,
        server: server.name.clone(),
        wrong,
        outcome,
    }
}

/// What is wrong and what mends it are the last lines of a refusal.
fn in_short(refusal: &str) -> String {
    let lines: Vec<&str> = refusal.lines().map(str::trim).collect();
    let last = lines[lines.len().saturating_sub(2)..].join(" ");
    format!("refused: {}", last.chars().take(240).collect::<String>())
}
