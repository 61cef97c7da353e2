mod attacks;

use super::data::tests::encrypted;
use super::facts::{EnrolledPlaces, Leaked, Medium, SetupFacts};
use super::stick_in::StartsWithStick;
use super::*;
use crate::theft::TheftPolicy;
use crate::vault::Thresholds;

fn clinic() -> Vec<ThreatCoverage> {
    judge(&clinic_facts())
}

fn clinic_facts() -> SetupFacts {
    SetupFacts {
        data: encrypted(),
        places: EnrolledPlaces::Open(vec![Thresholds {
            machine: 5,
            neighbours: 2,
            ..Thresholds::default()
        }]),
        neighbours: 3,
        servers: 0,
        strength: crate::environment::Strength::Soft,
        sticks: 2,
        without_pin: 1,
        removed_without_pin: 0,
        stick_in: StartsWithStick::default(),
        log_is_whole: true,
        code: true,
        verified: true,
        passphrases: 0,
        theft: TheftPolicy::default(),
        watch: None,
        medium: Medium::Flash,
        secure_boot: None,
        leaked: Some(Leaked {
            neighbours: 1,
            files: 12,
            incomplete: true,
        }),
    }
}

#[test]
fn the_audit_is_one_screen() {
    let text = screen(&"x".repeat(64), &clinic(), false);
    assert!(text.lines().count() <= 24, "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 79),
        "{text}"
    );
    assert!(
        text.contains("soft: a prompt elsewhere, but 24 bits"),
        "{text}"
    );
    assert!(text.contains("1 of 2 have no PIN"), "{text}");
    let all = screen("clinic", &clinic(), true);
    assert!(all.lines().all(|line| line.chars().count() <= 79), "{all}");
    assert!(all.contains("journalctl"), "{all}");
}

#[test]
fn what_holds_for_several_rows_is_said_once() {
    let facts = SetupFacts {
        data: super::data::DataFacts {
            is_enabled: false,
            has_check_file: false,
            ..encrypted()
        },
        ..clinic_facts()
    };
    let text = screen("clinic", &judge(&facts), false);
    assert!(text.lines().count() <= 24, "{text}");
    let why = "the database is not encrypted";
    let below = text
        .lines()
        .skip_while(|line| !line.contains("and a backup stick"))
        .nth(1);
    assert!(below.is_some_and(|line| line.contains(why)), "{text}");
}

#[test]
fn named_files_cannot_write_over_the_screen() {
    let labels = ["arp 10.0.0.1", "arp 10.0.0.2"].map(String::from);
    let scan = Scan {
        leaks: vec![scan::Leak {
            path: "/var/log/a\u{1b}[2J".into(),
            found: vec![false, true],
        }],
        leaking: 3,
        unsearched: 2,
        not_searched: vec![("/srv/\u{1b}[2J".into(), scan::NotSearched::Elsewhere)],
        ..Scan::default()
    };
    let text = files(&labels, &scan);
    let other = "/srv/\\u001b[2J: on another machine, provided by a program, or not mounted\n  and 1 more\n";
    assert!(text.contains(other), "{text}");
    assert!(
        text.contains("/var/log/a\\u001b[2J: arp 10.0.0.2\n"),
        "{text}"
    );
    assert!(text.contains("and 2 files more"), "{text}");
}

#[test]
fn a_script_reads_each_row_by_name() {
    let json = serde_json::to_value(clinic()).unwrap();
    assert_eq!(json[0]["threat"], "server");
    assert_eq!(json[0]["verdict"], "partly");
    assert_eq!(json[4]["verdict"], "not_covered");
}
