//! Tells the story on every system, and writes README's table of what held.

use std::process::ExitCode;
use std::time::Instant;

use qemu_tests::{Computer, Failure, Layout, Result, Story, System, prepared, project, run};
use serde_json::{Value, json};

/// Between these lines of README.md stands the table.
const BEGIN: &str = "<!-- systems: written by qemu-tests/matrix -->\n";
const END: &str = "<!-- systems end -->\n";

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |system: &System| {
        wanted.is_empty() || wanted.iter().any(|word| system.to_string().contains(word))
    };
    let systems: Vec<System> = System::all().filter(is_wanted).collect();
    // Asked first: an hour later it would be too late to hear that nobody knows.
    let commit = match commit() {
        Ok(commit) => commit,
        Err(failure) => {
            println!("Of which sources is this? {failure}");
            return ExitCode::FAILURE;
        }
    };
    let told: Vec<(System, Outcome)> = systems
        .into_iter()
        .map(|system| (system, tell(system, &commit)))
        .collect();
    let failed = told
        .iter()
        .any(|(_, outcome)| !matches!(outcome, Outcome::Held(_)));
    if let Err(failure) = write_table(&told) {
        println!("{failure}");
        return ExitCode::FAILURE;
    }
    match failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

/// What became of the story on a system.
enum Outcome {
    Held(Told),
    DidNotHold,
    /// There is no such system here: its packages could not be fetched, or its programs not
    /// be built.
    NotTried,
}

/// The versions with which the story held, and when.
struct Told {
    date: String,
    commit: String,
    kernel: String,
    generator: String,
    mariadb: String,
}

impl Told {
    fn as_json(&self) -> Value {
        json!({
            "date": self.date,
            "commit": self.commit,
            "kernel": self.kernel,
            "generator": self.generator,
            "mariadb": self.mariadb,
        })
    }

    fn from_json(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Failure::new(format!("the kept result cannot be read: {error}")))?;
        let word = |name: &str| value[name].as_str().unwrap_or_default().to_string();
        Ok(Self {
            date: word("date"),
            commit: word("commit"),
            kernel: word("kernel"),
            generator: word("generator"),
            mariadb: word("mariadb"),
        })
    }
}

/// Tells it now, or takes what is kept of a run in which it held: with this image, these
/// programs and these tests.
fn tell(system: System, commit: &str) -> Outcome {
    let start = Instant::now();
    let mut say = |line: &str| println!("{:>5} s {system}: {line}", start.elapsed().as_secs());
    let inputs = match inputs(system) {
        Ok(inputs) => inputs,
        Err(failure) => {
            say(&format!("it cannot be had: {failure}"));
            return Outcome::NotTried;
        }
    };
    match kept_or_told(system, &inputs, commit, &mut say) {
        Ok(told) => {
            say(&format!("the whole story held, on {}", told.date));
            Outcome::Held(told)
        }
        Err(failure) => {
            say(&format!("it did not hold: {failure}"));
            Outcome::DidNotHold
        }
    }
}

/// All that decides whether the story holds on this system.
fn inputs(system: System) -> Result<Vec<Vec<u8>>> {
    // All that tells the story and looks at what came of it.
    let mut inputs = vec![std::fs::read(std::env::current_exe()?)?];
    for program in system.programs()? {
        inputs.push(std::fs::read(program)?);
    }
    // Last, because it takes the longest.
    let image = system.image()?;
    inputs.push(image.as_os_str().as_encoded_bytes().to_vec());
    Ok(inputs)
}

fn kept_or_told(
    system: System,
    inputs: &[Vec<u8>],
    commit: &str,
    say: &mut dyn FnMut(&str),
) -> Result<Told> {
    let name = format!("told-{}", system.cache_name());
    let kept = prepared(&name, inputs, |folder| {
        let told = tell_with(system, commit, say)?.as_json().to_string();
        Ok(std::fs::write(folder.join("told.json"), told)?)
    })?;
    Told::from_json(&std::fs::read_to_string(kept.join("told.json"))?)
}

fn tell_with(system: System, commit: &str, say: &mut dyn FnMut(&str)) -> Result<Told> {
    let mut story = Story::begin(system, say)?;
    story.at_home(say)?;
    story.power_cut(say)?;
    story.stolen(say)?;
    story.stick_brings_it_back(say)?;
    let mut ask = |command: &str| -> Result<String> {
        let said = story.server.shell(command)?.success()?;
        Ok(said.trim().to_string())
    };
    let package = system.generator.name();
    let mariadb = match system.has_database() {
        true => ask("mariadbd --version 2>/dev/null | sed 's/.*Ver \\([0-9.]*\\).*/\\1/'")?,
        false => "none".into(),
    };
    Ok(Told {
        date: Computer::seen()?.date,
        commit: commit.into(),
        kernel: ask("uname -r")?,
        generator: ask(&format!("dpkg-query -W -f '${{Version}}' {package}"))?,
        mariadb,
    })
}

fn commit() -> Result<String> {
    let project = project().display().to_string();
    let commit = run("git", &["-C", &project, "describe", "--always", "--dirty"])?;
    Ok(commit.trim().to_string())
}

fn write_table(told: &[(System, Outcome)]) -> Result {
    let path = project().join("README.md");
    let page = std::fs::read_to_string(&path)?;
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (old, after) = rest.split_once(END)?;
        Some((before, old, after))
    });
    let (before, old, after) =
        parts.ok_or_else(|| Failure::new("README.md has no room for the table"))?;
    let rows: String = System::all()
        .filter_map(|system| row_of(system, told, old))
        .collect();
    let table = format!(
        "| system | initramfs | root | Linux | MariaDB | the story |\n\
         |---|---|---|---|---|---|\n{rows}"
    );
    std::fs::write(&path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?;
    Ok(())
}

/// What is known of this system now: what became of it in this run, or what the `old` table
/// says, for each row tells its own date and sources. Nothing, where it was never told.
fn row_of(system: System, told: &[(System, Outcome)], old: &str) -> Option<String> {
    if let Some(now) = told.iter().find(|(of, _)| *of == system) {
        return Some(row(now));
    }
    let root = root(system);
    let is_its_own = |line: &&str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let mut next = || cells.next().unwrap_or_default();
        let (title, initramfs) = (next(), next());
        let generator = initramfs.split(' ').next();
        title == system.title() && generator == Some(system.generator.name()) && next() == root
    };
    let line = old.lines().find(is_its_own)?;
    Some(format!("{line}\n"))
}

fn root(system: System) -> &'static str {
    match system.layout {
        Layout::Plain => "ext4",
        Layout::Layered => "LUKS, LVM, RAID1",
    }
}

fn row((system, outcome): &(System, Outcome)) -> String {
    let title = system.title();
    let generator = system.generator.name();
    let root = root(*system);
    match outcome {
        Outcome::Held(told) => format!(
            "| {title} | {generator} {} | {root} | {} | {} | held on {}, at {} |\n",
            told.generator, told.kernel, told.mariadb, told.date, told.commit
        ),
        Outcome::DidNotHold => {
            format!("| {title} | {generator} | {root} | | | **did not hold** |\n")
        }
        Outcome::NotTried => {
            format!("| {title} | {generator} | {root} | | | not tried: it could not be made |\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(commit: &str) -> Outcome {
        let word = |word: &str| word.to_string();
        Outcome::Held(Told {
            date: word("2026-11-28"),
            commit: word(commit),
            kernel: word("6.12"),
            generator: word("0.148"),
            mariadb: word("11.8"),
        })
    }

    #[test]
    fn what_was_not_told_now_keeps_its_row() {
        let systems: Vec<System> = System::all().collect();
        for told in &systems {
            let earlier = [(*told, held("before"))];
            let old = row(&earlier[0]);
            for system in &systems {
                let kept = (system == told).then(|| old.clone());
                assert_eq!(row_of(*system, &[], &old), kept, "{system}: {old}");
            }
            let later = [(*told, held("after"))];
            assert_eq!(row_of(*told, &later, &old), Some(row(&later[0])));
            let failed = [(*told, Outcome::DidNotHold)];
            assert_eq!(row_of(*told, &failed, &old), Some(row(&failed[0])));
        }
    }
}
