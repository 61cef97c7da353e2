use super::super::*;
use crate::columns::in_columns;
use crate::environment::Margin;
use crate::filesystem::{DRIVERS, FORMATS};
use crate::stick::StickError;
use crate::theft::ResetCause;
use crate::vault::{Count, FactorCounts, Group, Thresholds, VaultError};

fn banner(reason: &Reason) -> String {
    Banner {
        server: Some("clinic"),
        reason,
        ways_in: WaysIn::default(),
    }
    .to_string()
}

fn assert_is_one_screen(text: &str) {
    let shown = in_columns(text);
    assert!(shown.lines().count() <= 24, "more than one screen: {shown}");
    let fits = |line: &str| line.chars().count() <= 79;
    assert!(shown.lines().all(fits), "a line is too long: {shown}");
}

#[test]
fn every_screen_fits_80_columns_and_25_lines() {
    let vault = [
        VaultError::Device(5),
        VaultError::NotAVault,
        VaultError::Damaged,
        VaultError::PepperDamaged,
        VaultError::Newer,
        VaultError::Older,
        VaultError::WasReset,
        VaultError::Altered,
        VaultError::WrongKey,
        VaultError::Busy(Some(u32::MAX)),
        VaultError::Changed,
    ];
    let located = vault.iter().map(|error| LocateError::Vault(*error));
    let located = located.chain([
        LocateError::NoPartition,
        LocateError::OtherServer,
        LocateError::Open(75),
        LocateError::NotAllowed(75),
        LocateError::Unread(75),
        LocateError::NoDriver(DRIVERS[0]),
    ]);
    let mut reasons: Vec<Reason> = located.map(Reason::NoVault).collect();
    reasons.extend(vault.iter().copied().map(Reason::Fault));
    let several = Count { count: 8, of: 8 };
    let answered = FactorCounts {
        machine: several,
        neighbours: Count { count: 0, of: 8 },
        servers: Count { count: 0, of: 8 },
    };
    let need = Thresholds {
        machine: 8,
        neighbours: 8,
        servers: 8,
    };
    reasons.extend([
        Reason::Silent { answered, need },
        Reason::WasReset(ResetCause::Strikes),
        Reason::ChangedMachine,
        Reason::KeyServerLost,
        Reason::NotRecognised,
        Reason::NotYetRecognised,
        Reason::Looking,
    ]);
    let name = "w".repeat(64);
    for reason in &reasons {
        let screen = Banner {
            server: Some(&name),
            reason,
            ways_in: WaysIn {
                passphrase: true,
                code: true,
            },
        };
        assert_is_one_screen(&screen.to_string());
    }
    assert_is_one_screen(&Help.to_string());
    assert_is_one_screen(&Hint.to_string());
}

#[test]
fn the_first_screen_says_what_happened_and_what_to_do() {
    let text = banner(&Reason::NotRecognised);
    assert!(text.contains("The server \"clinic\" is locked. Its data is safe."));
    assert!(text.contains("does not recognise this place"));
    assert!(text.contains("Plug in a backup stick."));
    assert!(text.contains("3  reboot"));
    assert!(text.ends_with("stayput> "));
    assert!(text.lines().count() <= 24, "one screen");
    assert!(text.lines().all(|line| line.len() <= 79), "no wrapped line");
}

#[test]
fn a_reset_server_says_why_and_what_a_stick_will_do() {
    let text = banner(&Reason::WasReset(ResetCause::Strikes));
    assert!(text.contains("Its data is safe."));
    assert!(text.contains("was reset, after too many starts in foreign places."));
    assert!(text.contains("that opens the server this time"));
    assert!(text.contains("7  remember"));
    assert!(!text.contains("6  reset"), "it was reset already");
    assert!(text.lines().count() <= 24, "one screen");
    assert!(text.lines().all(|line| line.len() <= 79), "no wrapped line");
}

#[test]
fn the_menu_offers_what_can_be_used() {
    let text = banner(&Reason::NotRecognised);
    assert!(text.contains("6  reset") && !text.contains("remember"));
    assert!(
        !text.contains("mend  ") && !text.contains("continue  "),
        "{text}"
    );
    let text = banner(&Reason::Fault(VaultError::Altered));
    assert!(text.contains("8  mend") && !text.contains("remember"));
    assert!(!text.contains("passphrase") && !text.contains("code"));
    let all = Banner {
        server: Some("clinic"),
        reason: &Reason::NotRecognised,
        ways_in: WaysIn {
            passphrase: true,
            code: true,
        },
    };
    let text = all.to_string();
    assert!(text.contains("9  passphrase open it"), "{text}");
    assert!(text.contains("0  code       open it"), "{text}");
    assert!(text.contains("     change     put another"), "{text}");
    assert!(text.lines().count() <= 24, "one screen");
    let text = Help.to_string();
    assert!(text.contains("remember") && text.contains("mend"));
    assert!(text.lines().all(|line| line.len() <= 79), "no wrapped line");
}

#[test]
fn the_login_notice_tells_only_a_used_up_margin_and_strikes() {
    let words = |left, is_used_up, strikes| {
        let margin = Some(Margin { left, is_used_up });
        LoginNotice { margin, strikes }.to_string()
    };
    assert_eq!(words(1, false, 0), "");
    assert_eq!(words(0, false, 0), "", "as it was enrolled");
    assert!(words(0, true, 0).contains("the next start wants a stick"));
    let both = words(0, true, 2);
    assert!(both.contains("before this one: 2."), "{both}");
    assert_eq!(both.lines().count(), 2);
    assert!(both.lines().all(|line| line.len() <= 79), "no wrapped line");
}

fn count(count: u8, of: u8) -> Count {
    Count { count, of }
}

#[test]
fn a_silent_place_points_at_the_cable() {
    let silent = |machine, neighbours| Reason::Silent {
        answered: FactorCounts {
            machine: count(machine, 4),
            neighbours: count(neighbours, 3),
            ..FactorCounts::default()
        },
        need: Thresholds {
            machine: 3,
            neighbours: 2,
            ..Thresholds::default()
        },
    };
    let text = banner(&silent(4, 1));
    assert!(text.contains("1 of 3 neighbours answers, 2 are needed"));
    assert!(text.contains("network cable"));
    assert!(banner(&silent(2, 3)).contains("2 of 4 parts are there, 3 are needed"));
}

#[test]
fn a_repair_at_home_says_that_the_place_is_right_and_what_to_do() {
    let all = [
        (
            Reason::ChangedMachine,
            "parts of this machine",
            "stayput enroll --refresh",
        ),
        (
            Reason::KeyServerLost,
            "a key server does not know",
            "Have the key server put right.",
        ),
    ];
    for (reason, what, advice) in all {
        let text = banner(&reason);
        assert!(text.contains("This is its place, but"), "{text}");
        assert!(text.contains(what) && text.contains(advice), "{text}");
        assert!(text.contains("plug in a backup stick"), "{text}");
        assert!(text.lines().count() <= 24, "one screen");
        assert!(text.lines().all(|line| line.len() <= 79), "no wrapped line");
    }
}

#[test]
fn a_tally_is_english_for_none_one_and_several() {
    let said = |servers, of, needed| {
        let answered = FactorCounts {
            servers: count(servers, of),
            ..FactorCounts::default()
        };
        let need = Thresholds {
            servers: needed,
            ..Thresholds::default()
        };
        Tally::of(Group::Servers, answered, need).to_string()
    };
    assert_eq!(said(0, 1, 1), "0 of 1 key server answers, 1 is needed.");
    assert_eq!(said(0, 2, 1), "0 of 2 key servers answer, 1 is needed.");
    assert_eq!(said(1, 3, 2), "1 of 3 key servers answers, 2 are needed.");
    assert_eq!(said(2, 4, 3), "2 of 4 key servers answer, 3 are needed.");
}

#[test]
fn a_missing_key_server_is_named_alone_or_behind_neighbours() {
    let silent = |neighbours, servers| Reason::Silent {
        answered: FactorCounts {
            neighbours: count(neighbours, 3),
            servers: count(servers, 2),
            ..FactorCounts::default()
        },
        need: Thresholds {
            machine: 0,
            neighbours: 2,
            servers: 2,
        },
    };
    assert_eq!(
        silent(3, 1).to_string(),
        "The place is silent: 1 of 2 key servers answers, 2 are needed."
    );
    assert_eq!(
        silent(0, 2).to_string(),
        "The place is silent: 0 of 3 neighbours answer, 2 are needed."
    );
    let text = silent(0, 0).to_string();
    assert!(text.contains("0 of 3 neighbours answer"), "{text}");
    assert!(text.contains("0 of 2 key servers answer"), "{text}");
    let text = banner(&silent(0, 0));
    assert!(text.lines().count() <= 24, "one screen");
    assert!(text.lines().all(|line| line.len() <= 79), "no wrapped line");
}

#[test]
fn a_hostile_name_cannot_write_over_the_screen() {
    let text = Question::Pin("a\u{1b}[2Jb\n".try_into().unwrap()).to_string();
    assert_eq!(text, "PIN of stick \"a\\u001b[2Jb\\u000a\": ");
}

#[test]
fn what_is_wrong_with_a_stick_fits_on_a_line() {
    let formats = FORMATS.map(StickError::Format).into_iter();
    let drivers = DRIVERS.map(StickError::NoDriver);
    for error in formats.chain(drivers) {
        let text = Message::Stick(error).to_string();
        assert!(text.lines().all(|line| line.len() <= 79), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    for module in ["usb_storage", "uas", "sd_mod", "mmc_block"] {
        let text = Message::StickWithoutDriver(module).to_string();
        assert!(text.contains(module));
        assert!(text.lines().all(|line| line.len() <= 79), "{text}");
    }
}

#[test]
fn why_a_passphrase_was_not_changed_is_said() {
    let away = LocateError::NoPartition;
    assert_eq!(NotChanged::Vault(away).to_string(), away.to_string());
    let passphrase = NotChanged::Passphrase(PassphraseError::Full).to_string();
    assert_eq!(passphrase, PassphraseError::Full.to_string());
    assert!(passphrase.contains("16 people"), "{passphrase}");
}

#[test]
fn why_a_place_was_not_remembered_is_said() {
    for why in [
        NotRemembered::NobodyAnswers,
        NotRemembered::Weaker,
        NotRemembered::Failed,
        NotRemembered::HasServers,
    ] {
        assert!(why.to_string().contains("place"), "{why}");
    }
    assert!(Hint.to_string().contains("Press Enter"));
}
