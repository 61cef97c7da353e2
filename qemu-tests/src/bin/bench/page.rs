//! docs/performance.md, words and figures.

use std::fmt::Write;

use qemu_tests::Generator;

use crate::BOOTS;
use crate::row::{Row, SCRYPT_KB};
use crate::subjects::{PROCESSORS, What};
use crate::surroundings::Surroundings;
use crate::targets::{ONE_TANG, judged};

/// Those of stayput's rows that the others are compared with.
const USUAL: [What; 2] = [What::Neighbours(4), ONE_TANG];

/// What is told of dracut's chain, in its order.
const CHAIN: [&str; 7] = [
    "systemd-udev-trigger.service",
    "stayput-boot.service",
    "sysinit.target",
    "cryptsetup.target",
    "initrd-root-device.target",
    "sysroot.mount",
    "initrd-root-fs.target",
];

pub fn page(rows: &[Row], around: &Surroundings) -> String {
    let mut parts = vec![
        introduction(around),
        "![Time to the key](performance.svg)\n".to_string(),
    ];
    for generator in Generator::ALL {
        let rows = |waits: bool| {
            let of = rows.iter().filter(|row| row.generator == generator);
            of.filter(|row| row.what.waits_for_a_stick() == waits)
                .cloned()
                .collect::<Vec<Row>>()
        };
        let (boots, sticks) = (rows(false), rows(true));
        parts.push(format!("## With {}\n", generator.name()));
        parts.push(table(&boots));
        parts.push(plugged(&sticks));
        parts.push(chain(&boots));
        parts.push(targets(&boots));
        parts.push(ratios(&boots));
    }
    parts.push(how(rows, around));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn introduction(around: &Surroundings) -> String {
    format!(
        "# What it costs at boot\n\n\
         Written by `./qemu-tests/bench` on {}, words and figures; run it again rather than \
         changing this page.\n\n\
         One Debian 13 (kernel {}) with an initramfs for any machine, made by initramfs-tools and \
         by dracut, and in it nothing, stayput, or others that open a server by themselves. \
         {BOOTS} boots of each, one of each in turn. The time to the key is from the start of the \
         program that asks for it until it is there: stayput's keys in memory, the others' volume \
         opened. The boot waits longer. With initramfs-tools: from the first script after udev \
         until the last one before the root filesystem, with what Debian's own scripts take there \
         (the row \"nothing\"). With dracut: from the moment before udev looks for devices until \
         the root filesystem is mounted and each volume opened. Of stayput's memory with \
         neighbours {:.0} MiB are scrypt's own, and given back before the boot goes on.\n",
        around.date,
        around.kernel,
        mebibytes(SCRYPT_KB),
    )
}

/// How long a person waits who has just plugged a stick in.
fn plugged(rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "| a stick is plugged in while it waits | from the stick to the key: median | least to \
         most |\n|---|---|---|\n",
    );
    for row in rows {
        let time = row.time();
        let _ = writeln!(
            out,
            "| {} | {:.2} s | {:.2} to {:.2} s |",
            row.what, time.median, time.least, time.most
        );
    }
    out
}

/// When each part of dracut's chain was there, without stayput and with it.
fn chain(rows: &[Row]) -> String {
    let shown = [What::Nothing, ONE_TANG, What::Neighbours(1)];
    let of = |what: &What| rows.iter().find(|row| row.what == *what);
    let shown: Vec<&Row> = shown.iter().filter_map(of).collect();
    let mut lines = String::new();
    for name in CHAIN {
        let times: Vec<Option<f64>> = shown.iter().map(|row| row.unit(name)).collect();
        if times.iter().all(Option::is_none) {
            continue;
        }
        let _ = write!(lines, "| {name} |");
        for time in times {
            let _ = match time {
                Some(seconds) => write!(lines, " {seconds:.2} s |"),
                None => write!(lines, " |"),
            };
        }
        lines.push('\n');
    }
    if lines.is_empty() {
        return String::new();
    }
    let mut out = String::from("| dracut's chain: there after |");
    for row in &shown {
        let _ = write!(out, " {} |", row.what);
    }
    out + "\n|---|" + &"---|".repeat(shown.len()) + "\n" + &lines
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
    let mut out = String::from("### Targets\n\n| wanted | measured | |\n|---|---|---|\n");
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
    let mut out = String::from("### Ratios\n\n");
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
        "- On: {}, {} cores, load {} before the first boot (0 is a computer without other work); {}, `-accel {}`, {PROCESSORS} processors, 1024 MiB. {speed}",
        around.processor, around.cores, around.load, around.qemu, around.accelerator,
    );
    let _ = writeln!(out, "- Compared: {}.", around.packages.join(", "));
    out.push_str(
        "- All times are of the kernel's clock in the guest. How long the boot waits is between two \
         lines in its log, put there by a script before and one behind all that is compared. The \
         time to the key is for stayput what it logs itself, from its first instruction on; for the \
         others from the first of the two lines until udev was told of the opened volume. A stick that \
         is plugged in counts from the kernel's line about it. Memory is from one more boot, in which a loop in the shell looks at it all the \
         time: how much less was available than at the beginning. The loop itself takes some of \
         it, in the row \"nothing\" too.\n\
         - The others are shown at their best: clevis and Mandos have a fixed address (`ip=`) and \
         a server that is named and answers at once, passdev a stick with ext4, all a LUKS2 volume \
         with one key slot that takes no time to unlock. In dracut's image passdev does not exist, \
         and Mandos refuses one that is made for any machine.\n\
         - stayput needs all 4 parts of the machine, all of its neighbours, and half of its Tang \
         servers unless it says all; half is what `stayput enroll` asks for by itself. At home the \
         first try opens whatever is needed. For Tang it takes its enrolled address. tangd is \
         started before it is asked, for clevis too: eight key servers are eight computers, and \
         here they share this one.\n",
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
            "- {}, {}: the boot stage held {:.1} MiB at most (VmHWM){scrypt}.",
            row.generator.name(),
            row.what,
            mebibytes(row.memory.stage_kb),
        );
    }
    for row in rows {
        if let Some(own) = row.own() {
            let _ = writeln!(
                out,
                "- {}, {}, in its own words: `{own}`",
                row.generator.name(),
                row.what
            );
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
    fn dracuts_chain_and_a_plugged_stick_have_tables_of_their_own() {
        let mut rows = vec![row(What::Nothing, 30, 250, 0), row(ONE_TANG, 30, 300, 1)];
        for row in &mut rows {
            row.generator = Generator::Dracut;
            let there = (
                "sysroot.mount".to_string(),
                std::time::Duration::from_secs(2),
            );
            row.boots[0].units.push(there);
        }
        rows.push(row(What::StickAtThePrompt, 30, 2000, 0));
        let page = page(&rows, &around());
        assert!(
            page.contains("| sysroot.mount | 2.00 s | 2.00 s |"),
            "{page}"
        );
        let stick = "| stayput, a stick at the prompt | 2.00 s | 2.00 to 2.00 s |";
        assert!(page.contains(stick), "{page}");
        assert!(!page.contains("udev-trigger"), "{page}");
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
