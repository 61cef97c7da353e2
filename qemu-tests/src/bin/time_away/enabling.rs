//! `stayput mariadb enable`, by the clock.

use std::time::{Duration, Instant};

use qemu_tests::{Failure, LargeDatabase, Result, minutes};

/// How long it took.
pub struct Took {
    /// The whole command, its rehearsal included.
    pub all: Duration,
    /// From the stop of MariaDB to its first answer.
    pub away: Duration,
}

/// What the rehearsal told.
pub struct Rehearsed {
    pub took: Duration,
    /// How long the database would be away.
    pub foretold: Duration,
    /// What its new server was started with, but for paths.
    pub settings: Vec<String>,
}

const LOG: &str = "var/log/stayput-mariadb-enable.log";

const LIMIT: Duration = minutes(90);

/// The words of the new server, one a line, once it runs.
const SETTINGS: &str = "for pid in $(pidof mariadbd); do \
     words=$(tr '\\0' '\\n' </proc/$pid/cmdline); \
     case $words in *--bootstrap*|*--help*) ;; *doublewrite=OFF*) echo \"$words\" ;; esac; done";

pub fn rehearse(server: &LargeDatabase) -> Result<Rehearsed> {
    let begun = Instant::now();
    let mut command = server.spawn("stayput mariadb enable --dry-run")?;
    let mut settings = Vec::new();
    let output = loop {
        if let Some(output) = command.ended()? {
            break output;
        }
        if settings.is_empty() {
            settings = words(&server.shell(SETTINGS)?.text);
        }
        if begun.elapsed() > LIMIT {
            return Err(Failure::new(format!("no end: {}", command.said())));
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let took = begun.elapsed();
    let said = output.success()?;
    let foretold =
        foretold(&said).ok_or_else(|| Failure::new(format!("nothing is foretold in {said}")))?;
    if settings.is_empty() {
        return Err(Failure::new("its server was not seen"));
    }
    Ok(Rehearsed {
        took,
        foretold,
        settings,
    })
}

/// Those that name no path.
fn words(cmdline: &str) -> Vec<String> {
    cmdline
        .lines()
        .filter(|word| word.starts_with("--") && !word.contains('/'))
        .map(str::to_owned)
        .collect()
}

/// "away for about 40 seconds", "away for about 3 minutes".
fn foretold(said: &str) -> Option<Duration> {
    let (_, rest) = said.split_once("away for about ")?;
    let mut words = rest.split([' ', '.', ';']);
    let figure: u64 = words.next()?.parse().ok()?;
    let seconds = match words.next()? {
        "seconds" => 1,
        "minutes" => 60,
        _ => return None,
    };
    Some(Duration::from_secs(figure * seconds))
}

/// Encrypts the server. `say` hears what the work on the stopped server says.
pub fn enable(server: &LargeDatabase, say: &mut dyn FnMut(&str)) -> Result<Took> {
    let log = server.root()?.join(LOG);
    let begun = Instant::now();
    let mut command = server.spawn("stayput mariadb enable --yes")?;
    let (mut stopped, mut answered, mut heard) = (None, None, 0);
    loop {
        let ended = command.ended()?;
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        for line in text.lines().skip(heard) {
            say(&format!("{:>7.1} s {line}", begun.elapsed().as_secs_f64()));
            if line.starts_with("Stopping MariaDB") {
                stopped = Some(Instant::now());
            }
        }
        heard = text.lines().count();
        if stopped.is_some() && answered.is_none() && server.shell("mariadb -e 'SELECT 1'")?.ok() {
            answered = Some(Instant::now());
        }
        if let Some(output) = ended {
            let all = begun.elapsed();
            let said = output.success()?;
            let (Some(stopped), Some(answered)) = (stopped, answered) else {
                return Err(Failure::new(format!("it was not seen to stop: {said}")));
            };
            return Ok(Took {
                all,
                away: answered - stopped,
            });
        }
        if begun.elapsed() > LIMIT {
            return Err(Failure::new(format!("no end: {}", command.said())));
        }
        // A question costs a little of a core: while it copies, not too many.
        let pause = if stopped.is_some() { 200 } else { 10 };
        std::thread::sleep(Duration::from_millis(pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forecast_is_read_as_people_read_it() {
        let said = |time: &str| {
            format!("held. The database will be away for about {time}; the copy takes 9 MB.")
        };
        assert_eq!(foretold(&said("40 seconds")), Some(Duration::from_secs(40)));
        assert_eq!(foretold(&said("3 minutes")), Some(Duration::from_secs(180)));
        assert_eq!(foretold("Nothing was changed."), None);
    }

    #[test]
    fn settings_are_taken_over_without_paths() {
        let words = words("mariadbd\n--datadir=/a\n--innodb-doublewrite=OFF\n--skip-networking\n");
        assert_eq!(words, ["--innodb-doublewrite=OFF", "--skip-networking"]);
    }
}
