//! `backup`, `restore` and `rekey` are interrupted at some moment, one after the other on the
//! same server. After each cut the database serves, with the rows of before or of after, and
//! the last good backup is still whole; then the command is run until it is done.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::{Container, Failure, Output, Result, Seeded, Suite, minutes, seconds};

/// What is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Command {
    /// And what is older than the last two goes.
    Backup,
    Restore,
    Rekey,
}

impl Command {
    const ALL: [Self; 3] = [Self::Backup, Self::Restore, Self::Rekey];

    /// The place is on the server's own disk: a power cut takes from it, too, what was not
    /// flushed.
    fn line(self) -> &'static str {
        match self {
            Self::Backup => "stayput backup --same-disk --to /srv/nas --keep-last 2",
            Self::Restore => "stayput restore --from /srv/nas --yes",
            // Twice: no stick was made, so nothing but the place is left.
            Self::Rekey => "stayput rekey --yes --yes",
        }
    }
}

/// How it ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Its processes are killed.
    Kill,
    /// The system ends; what was written stays.
    PowerCut,
    /// The system ends, and what was not flushed is lost.
    PowerLoss,
}

impl End {
    const ALL: [Self; 3] = [Self::PowerLoss, Self::Kill, Self::PowerCut];
}

/// How often a command is run again that a killed one may be in the way of.
const TRIES: usize = 5;

/// A server that is interrupted a few times.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// How often.
    pub cuts: usize,
    /// Decides about commands and moments.
    pub seed: u64,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cuts, seed } = self;
        write!(f, "{cuts} cuts, seed {seed}")
    }
}

impl Life {
    /// Cuts of one server: each new key keeps the ones before it, and has room for some.
    const CUTS: usize = 10;

    /// So many cuts, on Debian 12: the packages that a backup needs are of that.
    pub fn plan(cuts: usize, seed: u64) -> Vec<Self> {
        let lives = cuts.div_ceil(Self::CUTS);
        (0..lives)
            .map(|n| Self {
                cuts: Self::CUTS.min(cuts - n * Self::CUTS),
                seed: seed.wrapping_add(n as u64),
            })
            .collect()
    }

    /// Lives it; says what happened on the way.
    ///
    /// # Errors
    /// A row, a key or the last good backup is lost, or a command cannot be brought to its
    /// end.
    pub fn run(&self) -> Result<String> {
        let mut random = Seeded::new(self.seed);
        let mut server = Server::open()?;
        let mut story = String::new();
        for n in 0..self.cuts {
            // Each command with each end, in time.
            let command = Command::ALL[n % Command::ALL.len()];
            let end = End::ALL[random.below(End::ALL.len())];
            let span = server.spans[&command];
            let moment = span.mul_f64(random.below(1050) as f64 / 1000.0);
            story.push_str(&format!(
                "{command:?}: {end:?} at {:.2} of {:.2} s; ",
                moment.as_secs_f64(),
                span.as_secs_f64()
            ));
            server
                .cut(command, end, moment)
                .map_err(|failure| Failure::new(format!("{self}: {story}{failure}")))?;
        }
        Ok(story)
    }
}

/// Which rows are where.
struct Server {
    server: Container,
    /// Rows of the database.
    rows: u64,
    /// The newest good backup, and its rows.
    newest: (u64, u64),
    /// How long each command takes if nothing happens.
    spans: BTreeMap<Command, Duration>,
}

impl Server {
    fn open() -> Result<Self> {
        let server = Container::fresh(Suite::Bookworm)?;
        server.wait_for_database()?;
        server.sql(
            "CREATE DATABASE clinic; USE clinic; CREATE TABLE patient (id INT PRIMARY KEY \
             AUTO_INCREMENT, name VARCHAR(80)); INSERT INTO patient (name) \
             SELECT CONCAT('Wanjiru ', seq) FROM seq_1_to_5000",
        )?;
        server.install_backup_programs()?;
        server
            .shell_within(
                "stayput mariadb enable --yes --destroy-original && mkdir /srv/nas && sync",
                minutes(4),
            )?
            .success()?;
        let mut server = Self {
            server,
            rows: 5000,
            newest: (0, 0),
            spans: BTreeMap::new(),
        };
        for command in Command::ALL {
            server.before(command)?;
            let begun = Instant::now();
            let said = server.shell(command.line())?;
            server.spans.insert(command, begun.elapsed());
            server.has_ended(command, &said)?;
        }
        Ok(server)
    }

    fn cut(&mut self, command: Command, end: End, moment: Duration) -> Result {
        let before = self.before(command)?;
        let running = self.server.spawn(command.line())?;
        std::thread::sleep(moment);
        match end {
            End::Kill => {
                self.server.shell("pkill -KILL -x stayput")?;
                let mut running = running;
                running.wait(minutes(3))?;
            }
            End::PowerCut => self.server.power_cut(),
            End::PowerLoss => self.server.power_cut_losing_unflushed()?,
        }
        if !matches!(end, End::Kill) {
            self.server.boot()?;
            self.server.wait_for_database()?;
            self.has_rows_of(&before)?;
        }
        self.last_good_is_whole()?;
        self.run_again(command)?;
        self.has_rows_of(&[self.rows])?;
        self.server.power_cut_losing_unflushed()?;
        self.server.boot()?;
        self.server.wait_for_database()?;
        self.has_rows_of(&[self.rows])?;
        self.last_good_is_whole()
    }

    /// What people do before it; gives how many rows there may be while it is at work.
    fn before(&mut self, command: Command) -> Result<Vec<u64>> {
        match command {
            Command::Backup => {
                self.server
                    .sql("INSERT INTO clinic.patient (name) VALUES ('Otieno')")?;
                self.rows += 1;
            }
            Command::Restore => {
                self.server
                    .sql("DELETE FROM clinic.patient ORDER BY id DESC LIMIT 1000")?;
                self.rows -= 1000;
                return Ok(vec![self.rows, self.newest.1]);
            }
            Command::Rekey => {}
        }
        Ok(vec![self.rows])
    }

    /// Runs it until it is done. What a killed one has started ends a moment later.
    fn run_again(&mut self, command: Command) -> Result {
        let mut said = self.shell(command.line())?;
        for _ in 0..TRIES {
            if said.ok() || is_kept(command, &said) {
                break;
            }
            std::thread::sleep(seconds(1));
            said = self.shell(command.line())?;
        }
        self.has_ended(command, &said)
    }

    /// What its owner does then.
    fn has_ended(&mut self, command: Command, said: &Output) -> Result {
        if !said.ok() && !is_kept(command, said) {
            return Err(Failure::new(format!("{command:?} does not end: {said}")));
        }
        match command {
            Command::Backup => self.newest = (self.newest_whole()?, self.rows),
            Command::Restore => {
                self.rows = self.newest.1;
                self.shell("stayput restore --remove-old --yes")?
                    .success()?;
            }
            // What was backed up before is restored by its number alone.
            Command::Rekey => {
                self.shell(Command::Backup.line())?.success()?;
                self.newest = (self.newest_whole()?, self.rows);
            }
        }
        self.shell("stayput backup verify --from /srv/nas")?
            .success()?;
        Ok(())
    }

    fn has_rows_of(&self, counts: &[u64]) -> Result {
        let there = self.server.sql("SELECT COUNT(*) FROM clinic.patient")?;
        let there = there.trim();
        match counts.iter().any(|count| count.to_string() == there) {
            true => Ok(()),
            false => Err(Failure::new(format!("{there} rows instead of {counts:?}"))),
        }
    }

    fn last_good_is_whole(&self) -> Result {
        let command = format!(
            "stayput backup verify --from /srv/nas --backup {}",
            self.newest.0
        );
        self.shell(&command)?.success()?;
        Ok(())
    }

    /// The number of the newest backup that is whole.
    fn newest_whole(&self) -> Result<u64> {
        let listed = self
            .shell("stayput backup list --from /srv/nas --json")?
            .success()?;
        let listed: serde_json::Value =
            serde_json::from_str(&listed).map_err(|error| Failure::new(error.to_string()))?;
        let whole = listed["backups"].as_array().into_iter().flatten();
        let whole = whole.filter(|backup| backup["state"] == "whole");
        whole
            .filter_map(|backup| backup["number"].as_u64())
            .max()
            .ok_or_else(|| Failure::new(format!("no backup is whole: {listed}")))
    }

    fn shell(&self, command: &str) -> Result<Output> {
        self.server.shell_within(command, minutes(4))
    }
}

/// It had come to its end, and waits for its owner.
fn is_kept(command: Command, said: &Output) -> bool {
    command == Command::Restore && said.text.contains("still kept")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_have_all_cuts_and_none_too_many() {
        let cuts = |count| {
            Life::plan(count, 7)
                .iter()
                .map(|life| life.cuts)
                .sum::<usize>()
        };
        assert_eq!([cuts(0), cuts(6), cuts(20), cuts(301)], [0, 6, 20, 301]);
        let seeds: Vec<u64> = Life::plan(25, 7).iter().map(|life| life.seed).collect();
        assert_eq!(seeds, [7, 8, 9]);
    }
}
