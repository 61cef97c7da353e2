//! `stayput audit`: what this server's set-up protects from, on one screen.

mod address_search;
mod data;
mod facts;
mod gather;
mod judge;
mod scan;
mod stick_in;
#[cfg(test)]
mod tests;

use crate::admin::json;
use crate::admin::problem::Result;
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::printable::Printable;
use facts::SetupFacts;
use gather::{Gathered, gather};
use judge::{Coverage, Threat, ThreatCoverage, judge};
use scan::Scan;

#[derive(clap::Args, Clone, Debug)]
pub struct AuditOptions {
    /// Say more about each row, and list the files that give the place away
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput audit`.
///
/// # Errors
/// When the vault does not open.
pub fn run(options: &AuditOptions, for_scripts: bool) -> Result<()> {
    let unlocked = unlock(&options.unlock)?;
    let mut tell = |bytes: u64| eprintln!("Searched {} MiB ...", bytes >> 20);
    let gathered = gather(&unlocked, &mut tell);
    let rows = judge(&gathered.facts);
    if for_scripts {
        json::print(document(&rows, &gathered));
    } else {
        let name = &unlocked.vault.header().server_name;
        print!("{}", screen(name, &rows, options.all));
        if options.all {
            print!("{}", in_clear(&gathered.facts));
            print!("{}", files(&gathered.labels, &gathered.scan));
        }
    }
    Ok(())
}

/// What the thief has, in words.
fn has(threat: Threat) -> &'static str {
    match threat {
        Threat::Server => "the server, switched off",
        Threat::Disk => "only its disk",
        Threat::ServerAndNeighbours => "the server and everything beside it",
        Threat::ServerAndStick => "the server and a backup stick",
        Threat::Stick => "a backup stick alone",
        Threat::ServerAndCode => "the server and its recovery code",
        Threat::ServerAfterReset => "the server after a reset",
        Threat::OldCopy => "the server and an earlier copy of its disk",
        Threat::EditedVault => "the disk for a while, to change the vault",
        Threat::RunningServer => "the server while it runs",
        Threat::GivenBack => "time alone with it, before it is given back",
        Threat::Leaks => "a look at the logs and settings on its disk",
    }
}

/// What the owner can do, or must know.
fn advice(threat: Threat) -> &'static str {
    match threat {
        Threat::Server | Threat::Disk => {
            "Soft means: whoever switches it on elsewhere gets a prompt; an expert can\n\
             guess hardware addresses (24 unknown bits each, one scrypt for a guess of\n\
             all that are needed). More neighbours needed is more bits: stayput enroll."
        }
        Threat::ServerAndNeighbours => {
            "Enrol stations that stand in other rooms, and ask for enough of them:\n\
             stayput enroll --neighbour IP ... --place-need K"
        }
        Threat::ServerAndStick | Threat::Stick => {
            "Five random words or fourteen digits take years. A stick without a PIN\n\
             belongs in a safe; made anew with a PIN, or off the list, the old one still\n\
             opens. The log tells of those taken off the list as far as it goes back."
        }
        Threat::ServerAndCode => {
            "The code cannot be taken back. Keep it where no thief of the server comes by."
        }
        Threat::ServerAfterReset => {
            "stayput policy --on-strikes reset lets the server do it by itself. Flash\n\
             memory (SSD, SD card) can keep what was overwritten; destroy it to be sure."
        }
        Threat::OldCopy => {
            "Whoever could copy the disk has the slots, the settings and the log of that\n\
             day: what opened then opens the copy, whatever was changed or reset since."
        }
        Threat::EditedVault => {
            "Settings, sticks and slots are proven by the key before anything is released.\n\
             The theft state is not: a wrong one can lock, never open."
        }
        Threat::RunningServer => {
            "Whoever holds the running server has what it has. The watch can end that when\n\
             the server is carried away: stayput policy --watch lock (or reset)"
        }
        Threat::GivenBack => {
            "A changed initramfs could hand the key over at the next boot at home. When\n\
             it was away, install it anew before it starts there."
        }
        Threat::Leaks => {
            "Delete what is listed, and what writes it: journalctl --rotate and\n\
             --vacuum-time=1s, leases, addresses in settings. What was deleted can stay\n\
             readable until it is overwritten."
        }
    }
}

fn word(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::NotCovered => "NOT COVERED",
        Coverage::Partly => "partly",
        Coverage::Covered => "covered",
    }
}

fn screen(name: &str, rows: &[ThreatCoverage], all: bool) -> String {
    let more = if all { "" } else { " (more: --all)" };
    let mut text = format!("What protects \"{name:.28}\" when a thief has ...{more}\n");
    for (at, row) in rows.iter().enumerate() {
        text += &format!("{:<11}  {}\n", word(row.coverage), has(row.threat));
        let next = rows.get(at + 1);
        // What holds for several rows is said once, below the last of them.
        let is_same = |next: &ThreatCoverage| next.coverage == row.coverage && next.why == row.why;
        if all || !next.is_some_and(is_same) {
            text += &format!("{:13}{}\n", "", row.why);
        }
        if all {
            for line in advice(row.threat).lines() {
                text += &format!("  {line}\n");
            }
        }
    }
    text
}

/// What the running MariaDB writes in the clear.
fn in_clear(facts: &SetupFacts) -> String {
    let clear = facts.data.in_clear.iter().flatten();
    let lines = clear.map(|what| format!("  {}\n", Printable(what)));
    let lines: String = lines.collect();
    match lines.is_empty() {
        true => lines,
        false => format!("In the clear:\n{lines}"),
    }
}

/// The files in which enrolled addresses stand. Their names come from whoever
/// made them: nothing in them reaches the terminal as it is.
fn files(labels: &[String], scan: &Scan) -> String {
    let mut text = format!(
        "Searched: {} files, {} MiB below {}.\n",
        scan.files,
        scan.bytes >> 20,
        scan::FOLDERS.join(" ")
    );
    for leak in &scan.leaks {
        let path = leak.path.to_string_lossy();
        let labels = found(labels, &leak.found).join(", ");
        text += &format!("  {}: {labels}\n", Printable(&path));
    }
    let more = scan.leaking - scan.leaks.len();
    if more > 0 {
        text += &format!("  and {more} files more\n");
    }
    if scan.unsearched > 0 {
        text += &format!("Not searched, or not to the end: {}.\n", scan.unsearched);
    }
    for (path, why) in &scan.not_searched {
        let path = path.to_string_lossy();
        text += &format!("  {}: {why}\n", Printable(&path));
    }
    let more = scan.unsearched - scan.not_searched.len();
    if more > 0 {
        text += &format!("  and {more} more\n");
    }
    text
}

fn found<'a>(labels: &'a [String], found: &[bool]) -> Vec<&'a str> {
    let labels = labels.iter().zip(found);
    let labels = labels.filter(|(_, found)| **found);
    labels.map(|(label, _)| label.as_str()).collect()
}

fn document(rows: &[ThreatCoverage], gathered: &Gathered) -> serde_json::Value {
    let Gathered {
        facts,
        labels,
        scan,
    } = gathered;
    let leak = |leak: &scan::Leak| {
        serde_json::json!({
            "path": leak.path.to_string_lossy(),
            "neighbours": found(labels, &leak.found),
        })
    };
    let not_searched = |(path, why): &(std::path::PathBuf, scan::NotSearched)| {
        serde_json::json!({
            "path": path.to_string_lossy(),
            "why": why.to_string(),
        })
    };
    serde_json::json!({
        "rows": rows,
        "medium": facts.medium,
        "secure_boot": facts.secure_boot,
        "in_clear": facts.data.in_clear,
        "searched": {
            "files": scan.files,
            "bytes": scan.bytes,
            "folders": scan::FOLDERS,
            "unsearched": scan.unsearched,
            "not_searched": scan.not_searched.iter().map(not_searched).collect::<Vec<_>>(),
            "leaking": scan.leaking,
            "leaks": scan.leaks.iter().map(leak).collect::<Vec<_>>(),
        },
    })
}

/// A document with every field.
#[cfg(test)]
pub fn example() -> serde_json::Value {
    use crate::theft::TheftPolicy;
    use crate::vault::{StickList, VaultError};

    let (sticks, theft) = (StickList::default(), TheftPolicy::default());
    let mut facts = facts::SetupFacts::of(Err(VaultError::WasReset), &sticks, theft, None);
    facts.data.in_clear = Some(vec!["clinic.old".into()]);
    let gathered = Gathered {
        facts,
        labels: vec!["arp 10.0.0.1".into()],
        scan: Scan {
            leaks: vec![scan::Leak {
                path: "/var/log/syslog".into(),
                found: vec![true],
            }],
            not_searched: vec![("/var/log/old.7z".into(), scan::NotSearched::Encrypted)],
            ..Scan::default()
        },
    };
    document(&judge(&gathered.facts), &gathered)
}
