//! Measures what stayput costs at boot beside others that open a disk by
//! themselves, and writes that chapter of docs/performance.md and
//! docs/performance.svg. All figures there are from one run, and so are the
//! words about them.

mod images;
mod mandos;
mod measuring;
mod page;
mod row;
mod subjects;
mod surroundings;
mod targets;

use std::process::ExitCode;
use std::time::Instant;

use images::Images;
use qemu_tests::{Generator, Result, Timed, plot, project, put_chapter};
use row::Row;
use subjects::Subject;
use surroundings::Surroundings;

/// Timed boots of each.
const BOOTS: usize = 5;

fn main() -> ExitCode {
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result {
    let start = Instant::now();
    let say = |line: &str| println!("{:>5} s {line}", start.elapsed().as_secs());
    say("The initramfs images are made (some minutes; kept for the next time)");
    let images: Vec<Images> = Generator::ALL
        .into_iter()
        .map(Images::made)
        .collect::<Result<_>>()?;
    say("The servers are set up");
    let ours = subjects::all()?;
    let others: Vec<Vec<Subject>> = images.iter().map(subjects::others).collect::<Result<_>>()?;
    let mut compared = Vec::new();
    for (images, others) in images.iter().zip(&others) {
        for subject in ours.iter().chain(others) {
            compared.push((subject, images, Row::of(subject.what, images)?));
        }
    }
    let around = Surroundings::seen(&images)?;
    // One boot of each in turn: a computer that is busy for a while is busy
    // for all.
    for round in 1..=BOOTS {
        for (subject, images, row) in &mut compared {
            let boot = measuring::time(subject, images)?;
            say(&format!(
                "boot {round} of {BOOTS}, {}, {}: {:.2} s, {:.2} s in all",
                images.generator.name(),
                subject.what,
                boot.to_the_key.as_secs_f64(),
                boot.in_all.as_secs_f64(),
            ));
            row.boots.push(boot);
        }
    }
    for (subject, images, row) in &mut compared {
        // A stick that is waited for changes nothing in what is held.
        if subject.what.waits_for_a_stick() {
            continue;
        }
        row.memory = measuring::memory(subject, images)?;
        say(&format!(
            "memory, {}, {}: {} kB",
            images.generator.name(),
            subject.what,
            row.memory.system_kb
        ));
    }
    let rows: Vec<Row> = compared.into_iter().map(|(_, _, row)| row).collect();
    write(&rows, &around)?;
    say("docs/performance.md and docs/performance.svg are written");
    Ok(())
}

fn write(rows: &[Row], around: &Surroundings) -> Result {
    let docs = project().join("docs");
    put_chapter(&page::page(rows, around))?;
    let timed: Vec<Timed> = rows.iter().map(Row::timed).collect();
    std::fs::write(
        docs.join("performance.svg"),
        plot("Time to the key", &timed),
    )?;
    Ok(())
}
