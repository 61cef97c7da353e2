//! `enable` is interrupted, or disturbed, at some moment; then it is run until
//! it is done. Meanwhile a program writes, and remembers what was acknowledged.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::trial::BEHIND_THE_GATE;
use super::view::View;
use crate::{Background, Container, Failure, Output, Result, Seeded, Suite, minutes, seconds};

/// What the server has held for years.
const YEARS: &str = include_str!("../../tests/native/years.sql");
const ENABLE: &str = "stayput mariadb enable --yes";
/// How often `enable` is run again; one that is still at work may be in the way.
const TRIES: usize = 40;

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its processes are killed.
    Kill,
    /// Only those of its unit are.
    KillUnit,
    /// So is every mariadbd.
    KillAll,
    /// The terminal that it was started in is gone.
    Hangup,
    /// The system ends; what was written stays.
    PowerCut,
    /// The system ends, and what was not flushed is lost.
    PowerLoss,
    /// Something starts MariaDB each second.
    Watchdog,
    /// Somebody starts it a second time.
    SecondRun,
}

impl Kind {
    /// What ends a run.
    pub const CUTS: [Self; 6] = [
        Self::PowerLoss,
        Self::Kill,
        Self::PowerCut,
        Self::KillUnit,
        Self::Hangup,
        Self::KillAll,
    ];

    /// What happens beside it.
    pub const DISTURBANCES: [Self; 2] = [Self::Watchdog, Self::SecondRun];

    /// What kills it from within, as a command.
    fn command(self) -> Option<&'static str> {
        Some(match self {
            Self::Kill => "pkill -KILL -x stayput",
            Self::KillUnit => "systemctl kill --signal=KILL stayput-mariadb-enable.service",
            Self::KillAll => "pkill -KILL 'stayput|mariadbd'",
            Self::Hangup => "pkill -HUP -x stayput",
            _ => return None,
        })
    }
}

/// One interrupted or disturbed run.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub suite: Suite,
    pub kind: Kind,
    /// Decides about the moment.
    pub seed: u64,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} on {}, seed {}",
            self.kind,
            self.suite.name(),
            self.seed
        )
    }
}

impl Cut {
    /// So many, over all kinds and Debians in turn.
    pub fn plan(kinds: &[Kind], count: usize, seed: u64) -> Vec<Self> {
        let suites = Suite::IN_CONTAINERS.len();
        (0..count)
            .map(|n| Self {
                suite: Suite::IN_CONTAINERS[n % suites],
                kind: kinds[n / suites % kinds.len()],
                seed: seed.wrapping_add(n as u64),
            })
            .collect()
    }

    /// Does it; says what happened on the way.
    ///
    /// # Errors
    /// A row that was acknowledged is lost, or `enable` cannot be brought to
    /// its end.
    pub fn run(&self) -> Result<String> {
        let span = span_of_enable(self.suite)?;
        let mut random = Seeded::new(self.seed);
        let cuts = 1 + random.below(2);
        let mut moment = || span.mul_f64(random.below(1100) as f64 / 1000.0);
        let moments = [moment(), moment()];
        let mut clinic = Clinic::open(self.suite)?;
        let mut story = String::new();
        for moment in &moments[..cuts] {
            let said = clinic.disturbed(self.kind, *moment)?;
            let at = moment.as_secs_f64();
            story.push_str(&format!(
                "{:?} at {at:.2} s ({}); ",
                self.kind,
                end_of(&said)
            ));
        }
        clinic
            .is_brought_to_an_end()
            .and_then(|()| clinic.has_every_row())
            .and_then(|()| clinic.has_every_row_after_a_power_cut())
            .map_err(|failure| Failure::new(format!("{self}: {story}{failure}")))?;
        Ok(story)
    }
}

/// The last lines of what a run had said.
fn end_of(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    lines[lines.len().saturating_sub(3)..].join(" | ")
}

/// How long an `enable` takes here if nothing happens, measured once.
fn span_of_enable(suite: Suite) -> Result<Duration> {
    static MEASURED: Mutex<Vec<(Suite, Duration)>> = Mutex::new(Vec::new());
    let mut measured = MEASURED.lock().unwrap();
    if let Some((_, span)) = measured.iter().find(|(of, _)| *of == suite) {
        return Ok(*span);
    }
    let clinic = Clinic::open(suite)?;
    let start = Instant::now();
    clinic.server.shell_within(ENABLE, minutes(3))?.success()?;
    let span = start.elapsed();
    measured.push((suite, span));
    Ok(span)
}

/// A server, and the program that writes to it.
struct Clinic {
    program: Program,
    /// Beside it, while this is there.
    disturber: Option<Background>,
    before: View,
    server: Container,
}

impl Clinic {
    fn open(suite: Suite) -> Result<Self> {
        let server = Container::fresh(suite)?;
        server.wait_for_database()?;
        server.sql(YEARS)?;
        server.sql("CREATE DATABASE app; CREATE TABLE app.acked (id INT PRIMARY KEY)")?;
        server.shell("sync")?.success()?;
        let before = View::of(&server, false)?.without("app");
        let mut program = Program::default();
        program.start(&server)?;
        Ok(Self {
            program,
            disturber: None,
            before,
            server,
        })
    }

    /// Starts `enable`, does this to it at that moment, and what a person
    /// would do next; gives what it had said.
    fn disturbed(&mut self, kind: Kind, moment: Duration) -> Result<String> {
        if kind == Kind::Watchdog {
            self.disturber = Some(self.server.spawn(
                "while :; do systemctl is-active -q mariadb || systemctl start mariadb; sleep 1; done",
            )?);
        }
        let mut enable = self.server.spawn(ENABLE)?;
        std::thread::sleep(moment);
        match kind {
            Kind::PowerCut | Kind::PowerLoss => {
                self.program.stop();
                let said = enable.said();
                if kind == Kind::PowerLoss {
                    self.server.power_cut_losing_unflushed()?;
                } else {
                    self.server.power_cut();
                }
                self.server.boot()?;
                self.program.start(&self.server)?;
                return Ok(said);
            }
            Kind::SecondRun => {
                let mut second = self.server.spawn(ENABLE)?;
                second.wait(minutes(3))?;
            }
            _ => {}
        }
        if let Some(command) = kind.command() {
            self.server.shell(command)?;
        }
        Ok(enable.wait(minutes(3))?.text)
    }

    /// Runs `enable` until it says that it is done.
    fn is_brought_to_an_end(&mut self) -> Result {
        let mut output = self.enable()?;
        for _ in 0..TRIES {
            if output.ok() {
                self.server.wait_for_database()?;
                return Ok(());
            }
            std::thread::sleep(seconds(1));
            output = self.enable()?;
        }
        let state = self.server.shell(
            "systemctl status mariadb | head -n 5; systemctl list-units --failed; ls -la /var/lib/stayput",
        )?;
        Err(Failure::new(format!(
            "enable does not come to its end: {output}\n{state}"
        )))
    }

    fn enable(&self) -> Result<Output> {
        self.server.shell_within(ENABLE, minutes(3))
    }

    fn has_every_row(&mut self) -> Result {
        // It writes to the new one too.
        std::thread::sleep(Duration::from_millis(500));
        self.program.stop();
        self.server.shell(BEHIND_THE_GATE)?.success()?;
        let rows = self.server.sql("SELECT id FROM app.acked")?;
        let rows: std::collections::HashSet<&str> = rows.lines().collect();
        let lost: Vec<_> = self
            .program
            .acknowledged
            .iter()
            .filter(|id| !rows.contains(id.as_str()))
            .collect();
        if !lost.is_empty() {
            return Err(Failure::new(format!(
                "{} of {} acknowledged rows are lost: {lost:?}",
                lost.len(),
                self.program.acknowledged.len()
            )));
        }
        let after = View::of(&self.server, false)?.without("app");
        match self.before.differences(&after) {
            None => Ok(()),
            Some(lines) => Err(Failure::new(format!("not the same: {lines}"))),
        }
    }

    fn has_every_row_after_a_power_cut(&mut self) -> Result {
        self.disturber = None;
        self.server.power_cut_losing_unflushed()?;
        self.server.boot()?;
        self.server.wait_for_database()?;
        self.has_every_row()
    }
}

/// Writes a row after the other, and remembers which were acknowledged.
#[derive(Default)]
struct Program {
    running: Option<Background>,
    acknowledged: Vec<String>,
    starts: u32,
}

impl Program {
    fn start(&mut self, server: &Container) -> Result {
        self.starts += 1;
        // A row that was not acknowledged may be there all the same.
        let first = self.starts * 100_000;
        self.running = Some(server.spawn(&format!(
            "i={first}; while :; do i=$((i+1)); \
             mariadb -e \"INSERT INTO app.acked VALUES ($i)\" 2>/dev/null && echo $i; \
             sleep 0.03; done"
        ))?);
        Ok(())
    }

    fn stop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        let said = running.said();
        // What is said last may be half a line.
        let whole = said.rfind('\n').map_or("", |end| &said[..end]);
        self.acknowledged.extend(whole.lines().map(str::to_string));
    }
}
