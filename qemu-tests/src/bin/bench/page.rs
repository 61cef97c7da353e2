//! docs/performance.md, words and figures.

use std::fmt::Write;

use crate::BOOTS;
use crate::row::{Row, SCRYPT_KB};
use crate::subjects::What;
use crate::surroundings::Surroundings;
use crate::targets::{ONE_TANG, judged};

/// Those of stayput's rows that the others are compared with.
const USUAL: [What; 2] = [What::Neighbours(4), ONE_TANG];

pub fn page(rows: &[Row], around: &Surroundings) -> String {
    [
        introduction(around),
        table(rows),
        "![Time to the key](performance.svg)\n".to_string(),
        targets(rows),
        "## Ratios\n".to_string(),
        ratios(rows),
        how(rows, around),
    ]
    .join("\n")
}

fn introduction(around: &Surroundings) -> String {
    format!(
        "# What it costs at boot\n\n\
         Written by `./qemu-tests/bench` on {}, words and figures; run it again rather than \
         changing this page.\n\n\
         One Debian 12 (kernel {}) with its default initramfs, and in it nothing, stayput, or \
         others that open a server by themselves. {BOOTS} boots of each, one of each in turn. \
         The time to the key is from the start of the program that asks for it until it is there: \
         stayput's keys in memory, the others' volume opened. The boot waits longer: from the \
         first script after udev until the last one before the root filesystem, with what Debian's \
         own scripts take there (the row \"nothing\"). Of stayput's memory with neighbours \
         {:.0} MiB are scrypt's own, and given back before the boot goes on.\n",
        around.date,
        around.kernel,
        mebibytes(SCRYPT_KB),
    )
}

fn table(rows: &[Row]) -> String {
    let nothing = rows.iter().find(|row| row.what == What::Nothing);
    let mut out = String::from(
        "| | time to the key: median | least to most | the boot waits | initramfs, compressed \
         | it grows by | files added | memory |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let time = row.time();
        let growth = row.size.saturating_sub(nothing.map_or(0, |row| row.size));
        let _ = writeln!(
            out,
            "| {} | {:.2} s | {:.2} to {:.2} s | {:.2} s | {:.1} MB | {:.2} MB | {} | {:.1} MiB |",
            row.what,
            time.median,
            time.least,
            time.most,
            row.in_all().median,
            megabytes(row.size),
            megabytes(growth),
            row.files,
            mebibytes(row.memory.system_kb),
        );
    }
    out
}

fn targets(rows: &[Row]) -> String {
    let mut out = String::from("## Targets\n\n| wanted | measured | |\n|---|---|---|\n");
    for target in judged(rows) {
        let met = if target.met { "met" } else { "**not met**" };
        let _ = writeln!(out, "| {} | {} | {met} |", target.wanted, target.measured);
    }
    out
}

/// The others beside stayput.
fn ratios(rows: &[Row]) -> String {
    let Some(nothing) = rows.iter().find(|row| row.what == What::Nothing) else {
        return String::new();
    };
    let time = |row: &Row| row.time().median;
    let waits = |row: &Row| row.in_all().median - nothing.in_all().median;
    let growth = |row: &Row| row.size.saturating_sub(nothing.size) as f64;
    let memory = |row: &Row| row.memory.system_kb as f64;
    let mut out = String::new();
    for stayput in rows.iter().filter(|row| USUAL.contains(&row.what)) {
        let _ = writeln!(
            out,
            "How many times as much as \"{}\":\n\n\
             | | time to the key | the boot waits, beyond \"nothing\" | growth of the initramfs \
             | memory |\n\
             |---|---|---|---|---|",
            stayput.what
        );
        for other in rows.iter().filter(|row| row.what.is_another_program()) {
            let _ = writeln!(
                out,
                "| {} | {:.1} | {:.1} | {:.1} | {:.2} |",
                other.what,
                time(other) / time(stayput),
                waits(other) / waits(stayput),
                growth(other) / growth(stayput),
                memory(other) / memory(stayput),
            );
        }
        out.push('\n');
    }
    out.trim_end().to_string() + "\n"
}

fn how(rows: &[Row], around: &Surroundings) -> String {
    let mut out = String::from("## How it was measured\n\n");
    let speed = if around.emulated() {
        "The processor is emulated: on hardware everything is several times quicker. The ratios \
         are what counts."
    } else {
        "The processor is the computer's own."
    };
    let _ = writeln!(
        out,
        "- On: {}, {} cores, load {} before the first boot (0 is a computer without other work); {}, `-accel {}`, 1 processor, 768 MiB. {speed}",
        around.processor, around.cores, around.load, around.qemu, around.accelerator,
    );
    let _ = writeln!(out, "- Compared: {}.", around.packages.join(", "));
    out.push_str(
        "- All times are of the kernel's clock in the guest. How long the boot waits is between two \
         lines in its log, put there by a script before and one behind all that is compared. The \
         time to the key is for stayput what it logs itself, from its first instruction on; for the \
         others from the first of the two lines until udev was told of the opened volume. Memory is from one more boot, in which a loop in the shell looks at it all the \
         time: how much less was available than at the beginning. The loop itself takes some of \
         it, in the row \"nothing\" too.\n\
         - The others are shown at their best: clevis has a fixed address (`ip=`) and a server \
         that answers at once, passdev a stick with ext4 that is plugged in before the start, \
         both a LUKS2 volume with one key slot that takes no time to unlock.\n\
         - stayput needs all 4 parts of the machine, all of its neighbours, and half of its Tang \
         servers unless it says all; half is what `stayput enroll` asks for by itself. At home the \
         first try opens whatever is needed. For Tang it takes its enrolled address.\n",
    );
    let held = rows.iter().filter(|row| row.beside_scrypt_kb().is_some());
    for row in held {
        let scrypt = match row.what {
            What::Neighbours(_) => {
                format!(", {:.0} MiB of them scrypt's own", mebibytes(SCRYPT_KB))
            }
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "- {}: the boot stage held {:.1} MiB at most (VmHWM){scrypt}.",
            row.what,
            mebibytes(row.memory.stage_kb),
        );
    }
    for row in rows {
        if let Some(own) = row.own() {
            let _ = writeln!(out, "- {}, in its own words: `{own}`", row.what);
        }
    }
    out
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn mebibytes(kb: u64) -> f64 {
    kb as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::tests::row;

    fn around() -> Surroundings {
        Surroundings {
            date: "2024-02-29".into(),
            processor: "some processor".into(),
            cores: 2,
            load: "0.07".into(),
            qemu: "QEMU 7.2".into(),
            accelerator: "tcg",
            kernel: "6.1".into(),
            packages: vec!["clevis 19".into()],
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row(What::Nothing, 30_000_000, 250, 0),
            row(What::Neighbours(4), 30_500_000, 1000, 35 * 1024),
            row(What::Clevis, 37_000_000, 8000, 0),
        ]
    }

    #[test]
    fn every_row_is_on_the_page_with_its_figures() {
        let page = page(&rows(), &around());
        assert!(
            page.contains(
                "| stayput, 4 neighbours | 1.00 s | 1.00 to 1.00 s | 1.00 s | 30.5 MB | 0.50 MB "
            ),
            "{page}"
        );
        assert!(page.contains("| clevis, 1 Tang server | 8.00 s "), "{page}");
    }

    #[test]
    fn the_others_are_set_in_proportion_to_nothing() {
        let page = page(&rows(), &around());
        assert!(
            page.contains("| clevis, 1 Tang server | 8.0 | 10.3 | 14.0 |"),
            "{page}"
        );
    }

    #[test]
    fn what_was_missed_is_said() {
        let mut rows = rows();
        rows[1].size = 31_500_000;
        let page = page(&rows, &around());
        assert!(page.contains("| 1.50 MB | **not met** |"), "{page}");
        assert!(page.contains("| 3.0 MiB | met |"), "{page}");
    }
}
