//! Tells the story on every system, and writes README's table of what held.

use std::process::ExitCode;
use std::time::Instant;

use qemu_tests::{Computer, Failure, Generator, Result, Story, Suite, System, project, run};

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

/// The versions with which the story held.
struct Told {
    kernel: String,
    generator: String,
    mariadb: String,
}

fn tell(system: System) -> Result<Told> {
    let start = Instant::now();
    let mut say = |line: &str| println!("{:>5} s {system}: {line}", start.elapsed().as_secs());
    let told = tell_with(system, &mut say);
    match &told {
        Ok(_) => say("the whole story held"),
        Err(failure) => say(&format!("it did not hold: {failure}")),
    }
    told
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
    let package = match system.generator {
        Generator::InitramfsTools => "initramfs-tools",
        Generator::Dracut => "dracut",
    };
    Ok(Told {
        kernel: ask("uname -r")?,
        generator: ask(&format!("dpkg-query -W -f '${{Version}}' {package}"))?,
        mariadb: ask("mariadbd --version | sed 's/.*Ver \\([0-9.]*\\).*/\\1/'")?,
    })
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
    let date = Computer::seen()?.date;
    let commit = run(
        "git",
        &[
            "-C",
            &project().display().to_string(),
            "rev-parse",
            "--short",
            "HEAD",
        ],
    )?;
    let mut table = String::from("| Debian | initramfs-tools | dracut |\n|---|---|---|\n");
    for suite in [Suite::Bookworm, Suite::Trixie, Suite::Forky] {
        let cell = |generator| {
            let of = |(system, _): &&(System, Result<Told>)| {
                system.suite == suite && system.generator == generator
            };
            match told.iter().find(of) {
                Some((_, Ok(told))) => format!(
                    "held: {}, Linux {}, MariaDB {}",
                    told.generator, told.kernel, told.mariadb
                ),
                Some((_, Err(_))) => "**did not hold**".into(),
                None => "not tried".into(),
            }
        };
        let [tools, dracut] = Generator::ALL.map(cell);
        table += &format!("| {} | {tools} | {dracut} |\n", suite.number());
    }
    table += &format!("\nTried on {date}, at {}.\n", commit.trim());
    std::fs::write(&path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?;
    Ok(())
}
