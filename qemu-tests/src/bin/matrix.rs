//! Tells the story on every system, and writes README's table of what held.

use std::process::ExitCode;
use std::time::Instant;

use qemu_tests::{
    Computer, Failure, Result, Story, System, prepared, project, run, shipped_binary,
};
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
    let told: Vec<(System, Result<Told>)> = systems
        .into_iter()
        .map(|system| (system, tell(system)))
        .collect();
    let failed = told.iter().any(|(_, told)| told.is_err());
    // A part of the table would say nothing of the rest.
    if wanted.is_empty()
        && let Err(failure) = write_table(&told)
    {
        println!("{failure}");
        return ExitCode::FAILURE;
    }
    match failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
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
/// programs and this story.
fn tell(system: System) -> Result<Told> {
    let start = Instant::now();
    let mut say = |line: &str| println!("{:>5} s {system}: {line}", start.elapsed().as_secs());
    let told = kept_or_told(system, &mut say);
    match &told {
        Ok(told) => say(&format!("the whole story held, on {}", told.date)),
        Err(failure) => say(&format!("it did not hold: {failure}")),
    }
    told
}

fn kept_or_told(system: System, say: &mut dyn FnMut(&str)) -> Result<Told> {
    let mut inputs = vec![
        system.image()?.as_os_str().as_encoded_bytes().to_vec(),
        Story::SOURCE.as_bytes().to_vec(),
    ];
    for program in ["stayput", "stayput-boot"] {
        inputs.push(std::fs::read(shipped_binary(program)?)?);
    }
    let name = format!("told-{}", system.cache_name());
    let kept = prepared(&name, &inputs, |folder| {
        let told = tell_with(system, say)?.as_json().to_string();
        Ok(std::fs::write(folder.join("told.json"), told)?)
    })?;
    Told::from_json(&std::fs::read_to_string(kept.join("told.json"))?)
}

fn tell_with(system: System, say: &mut dyn FnMut(&str)) -> Result<Told> {
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
    Ok(Told {
        date: Computer::seen()?.date,
        commit: commit()?,
        kernel: ask("uname -r")?,
        generator: ask(&format!("dpkg-query -W -f '${{Version}}' {package}"))?,
        mariadb: ask("mariadbd --version | sed 's/.*Ver \\([0-9.]*\\).*/\\1/'")?,
    })
}

fn commit() -> Result<String> {
    let project = project().display().to_string();
    let commit = run("git", &["-C", &project, "rev-parse", "--short", "HEAD"])?;
    Ok(commit.trim().to_string())
}

fn write_table(told: &[(System, Result<Told>)]) -> Result {
    let path = project().join("README.md");
    let page = std::fs::read_to_string(&path)?;
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) =
        parts.ok_or_else(|| Failure::new("README.md has no room for the table"))?;
    let rows: String = told.iter().map(row).collect();
    let table = format!(
        "| Debian | initramfs | Linux | MariaDB | the story |\n\
         |---|---|---|---|---|\n{rows}"
    );
    std::fs::write(&path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?;
    Ok(())
}

fn row((system, told): &(System, Result<Told>)) -> String {
    let suite = system.suite.number();
    let generator = system.generator.name();
    match told {
        Ok(told) => format!(
            "| {suite} | {generator} {} | {} | {} | held on {}, at {} |\n",
            told.generator, told.kernel, told.mariadb, told.date, told.commit
        ),
        Err(_) => format!("| {suite} | {generator} | | | **did not hold** |\n"),
    }
}
