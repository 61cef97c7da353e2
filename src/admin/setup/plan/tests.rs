use super::policy::{KEPT_UNKNOWN, KEPT_WAITS, RESET_WAITS};
use super::*;
use crate::admin::mariadb::SwapChoice;
use crate::admin::setup::answers::KeyServer;
use crate::admin::setup::answers::PinFrom;
use crate::admin::setup::facts::FoundStick;
use StepKind::{Code, Database as Encrypt, Place, Policy, Release, Stage, Stick, Vault};

fn nothing_yet() -> Facts {
    Facts {
        vault: None,
        unnamed: Vec::new(),
        needs_lost_key: None,
        database: Database::Clear,
        clear_memory: None,
        is_installed: false,
        waits_for_release: false,
        parts: 4,
    }
}

fn wanted() -> Answers {
    Answers {
        name: Some("clinic".try_into().unwrap()),
        stick: Some(NewStick {
            device: "/dev/sdb1".into(),
            label: "office".into(),
            pin: PinFrom::Person,
            kept: Some("bank safe".try_into().unwrap()),
        }),
        code: true,
        on_strikes: Some(OnStrikes::Reset),
        ..Answers::default()
    }
}

fn kinds(facts: &Facts, answers: &Answers, attendance: Attendance) -> Vec<StepKind> {
    let plan = plan(facts, answers, attendance).unwrap();
    plan.steps.iter().map(|step| step.kind).collect()
}

/// What is there once a step is done.
fn after(facts: &mut Facts, step: StepKind, answers: &Answers) {
    let vault = facts.vault.get_or_insert_with(|| FoundVault {
        name: answers.name.clone().unwrap_or_default(),
        wants_reset: answers.on_strikes == Some(OnStrikes::Reset),
        ..FoundVault::default()
    });
    match step {
        Vault => {}
        Place => vault.has_place = true,
        Stick => vault.sticks.push(FoundStick {
            label: "office".into(),
            kept: None,
            is_plugged: true,
        }),
        Code => {
            vault.has_code = true;
            vault.has_way_back_elsewhere = true;
        }
        Policy => {
            vault.wants_reset = false;
            vault.resets = true;
            vault.sticks[0].kept = answers.stick.as_ref().and_then(|stick| stick.kept.clone());
        }
        Encrypt => facts.database = Database::Encrypted,
        Release => facts.waits_for_release = false,
        Stage => facts.is_installed = true,
    }
}

#[test]
fn new_server_gets_everything_in_its_order() {
    let all = [Vault, Place, Stick, Code, Policy, Stage, Encrypt];
    assert_eq!(kinds(&nothing_yet(), &wanted(), Attendance::Person), all);
}

#[test]
fn interrupted_after_each_step_the_rest_is_left() {
    let answers = wanted();
    let mut facts = nothing_yet();
    let mut left = kinds(&facts, &answers, Attendance::Person);
    while !left.is_empty() {
        let step = left.remove(0);
        after(&mut facts, step, &answers);
        let now = kinds(&facts, &answers, Attendance::Person);
        assert_eq!(now, left, "after {step:?}");
    }
}

#[test]
fn interrupted_in_the_middle_of_a_step_it_is_done_again() {
    // The stick was written, and is not on the list; the run of `enable` has a journal; one
    // kernel of two has the stage.
    let mut facts = nothing_yet();
    for step in [Vault, Place] {
        after(&mut facts, step, &wanted());
    }
    facts.database = Database::Interrupted;
    let left = kinds(&facts, &wanted(), Attendance::Person);
    assert_eq!(left, [Stick, Code, Policy, Stage, Encrypt]);
}

#[test]
fn wish_for_a_reset_outlives_the_answers() {
    let mut facts = nothing_yet();
    let answers = wanted();
    for step in [Vault, Place, Stick, Code] {
        after(&mut facts, step, &answers);
    }
    // The second run asks for nothing: all it knows is in the vault.
    let left = plan(&facts, &Answers::default(), Attendance::Person).unwrap();
    assert_eq!(left.steps[0].kind, Policy);
    assert_eq!(
        left.steps[0].words,
        line(&["policy", "--on-strikes", "reset"])
    );
}

#[test]
fn owner_who_says_halt_gets_no_reset() {
    let mut facts = nothing_yet();
    for step in [Vault, Place, Stick, Stage, Encrypt] {
        after(&mut facts, step, &wanted());
    }
    let halts = Answers {
        on_strikes: Some(OnStrikes::Halt),
        stick: None,
        ..wanted()
    };
    let halt = line(&["policy", "--on-strikes", "halt"]);
    // It was only wanted; then it is in force.
    for is_in_force in [false, true] {
        let vault = facts.vault.as_mut().unwrap();
        (vault.wants_reset, vault.resets) = (!is_in_force, is_in_force);
        let left = plan(&facts, &halts, Attendance::Nobody).unwrap();
        assert_eq!(left.steps.len(), 1, "{left:?}");
        assert_eq!(left.steps[0].words, halt);
        assert_eq!(left.later, [""; 0]);
    }
}

#[test]
fn what_waits_for_the_stick_is_named() {
    let halts = Answers {
        on_strikes: Some(OnStrikes::Halt),
        code: false,
        ..wanted()
    };
    let left = plan(&nothing_yet(), &halts, Attendance::Nobody).unwrap();
    assert_eq!(left.later, [KEPT_WAITS]);
}

#[test]
fn reset_waits_for_the_stick_to_be_out_where_nobody_is() {
    let answers = wanted();
    let left = plan(&nothing_yet(), &answers, Attendance::Nobody).unwrap();
    let done: Vec<StepKind> = left.steps.iter().map(|step| step.kind).collect();
    assert_eq!(done, [Vault, Place, Stick, Stage, Encrypt]);
    assert_eq!(left.later, [RESET_WAITS]);
    // The wish is in the vault meanwhile.
    let init = &left.steps[0].words;
    assert!(
        init.ends_with(&line(&["--on-strikes", "reset", "--yes"])),
        "{init:?}"
    );

    let mut facts = nothing_yet();
    for step in done {
        after(&mut facts, step, &answers);
    }
    let vault = facts.vault.as_mut().unwrap();
    vault.has_way_back_elsewhere = true;
    vault.sticks[0].is_plugged = false;
    let left = plan(&facts, &answers, Attendance::Nobody).unwrap();
    let reset = "policy --on-strikes reset --stick-kept";
    let mut expected: Vec<String> = reset.split(' ').map(String::from).collect();
    expected.extend(line(&["bank safe", "--which", "office"]));
    assert_eq!(left.steps[0].words, expected);
    assert_eq!(left.steps.len(), 1);
}

#[test]
fn a_further_stick_that_is_in_the_server_holds_nothing_else_up() {
    let mut facts = nothing_yet();
    for step in [Vault, Place, Code] {
        after(&mut facts, step, &wanted());
    }
    let alone = |facts: &Facts| plan(facts, &wanted(), Attendance::Nobody).unwrap();
    let left = alone(&facts);
    let done: Vec<StepKind> = left.steps.iter().map(|step| step.kind).collect();
    assert_eq!(
        done,
        [Stick, Stage, Encrypt],
        "the code alone is no place for the stick"
    );
    assert_eq!(left.later, [RESET_WAITS]);
    for step in done {
        after(&mut facts, step, &wanted());
    }
    assert_eq!(alone(&facts).steps, [], "it is still plugged in");
    facts.vault.as_mut().unwrap().sticks[0].is_plugged = false;
    assert_eq!(alone(&facts).steps[0].kind, Policy);
}

#[test]
fn who_is_asked_to_take_the_stick_out_may_say_later() {
    let left = plan(&nothing_yet(), &wanted(), Attendance::Person).unwrap();
    let waits = |kind| {
        let step = left.steps.iter().find(|step| step.kind == kind);
        step.and_then(|step| step.waits)
    };
    assert_eq!(waits(Policy), Some(RESET_WAITS));
    assert_eq!(waits(Stage), None);
    // With the code alone there is nothing to take out.
    let code = Answers {
        stick: None,
        ..wanted()
    };
    let left = plan(&nothing_yet(), &code, Attendance::Person).unwrap();
    let policy = left.steps.iter().find(|step| step.kind == Policy).unwrap();
    assert_eq!(policy.waits, None);
}

#[test]
fn where_the_place_is_not_said_no_stick_has_to_be_taken_out() {
    let mut facts = nothing_yet();
    for step in [Vault, Place, Stick, Stage, Encrypt] {
        after(&mut facts, step, &wanted());
    }
    let vault = facts.vault.as_mut().unwrap();
    vault.sticks[0].is_plugged = false;
    vault.has_way_back_elsewhere = true;
    let left = plan(&facts, &Answers::default(), Attendance::Nobody).unwrap();
    assert_eq!(
        (left.steps.len(), &left.later[..]),
        (0, &[KEPT_UNKNOWN][..])
    );
}

#[test]
fn a_changed_place_is_noted_and_to_end_the_reset_waits_for_none() {
    let mut facts = nothing_yet();
    for step in [Vault, Place, Stick, Policy, Stage, Encrypt] {
        after(&mut facts, step, &wanted());
    }
    facts.vault.as_mut().unwrap().sticks[0].is_plugged = false;
    let mut answers = wanted();
    answers.code = false;
    let left = |facts: &Facts, answers: &Answers| {
        let plan = plan(facts, answers, Attendance::Nobody).unwrap();
        let steps = plan.steps.into_iter().map(|step| step.words);
        (steps.collect::<Vec<_>>(), plan.later)
    };
    assert_eq!(left(&facts, &answers), (vec![], vec![]));
    let stick = answers.stick.as_mut().unwrap();
    stick.kept = Some("attic".try_into().unwrap());
    let moved = line(&["policy", "--stick-kept", "attic", "--which", "office"]);
    assert_eq!(left(&facts, &answers), (vec![moved], vec![]));
    facts.vault.as_mut().unwrap().sticks[0].is_plugged = true;
    answers.on_strikes = Some(OnStrikes::Halt);
    let halt = line(&["policy", "--on-strikes", "halt"]);
    assert_eq!(left(&facts, &answers), (vec![halt], vec![KEPT_WAITS]));
}

#[test]
fn too_many_neighbours_are_refused_before_the_vault_is_made() {
    let named = |count: u8| Answers {
        neighbours: Neighbours::Named((1..=count).map(|n| [10, 0, 0, n].into()).collect()),
        ..wanted()
    };
    let planned = |count| plan(&nothing_yet(), &named(count), Attendance::Nobody);
    assert!(planned(5).is_ok());
    let refused = planned(16).unwrap_err();
    assert!(refused.what.contains("at most"), "{refused}");
}

#[test]
fn lost_vault_of_an_encrypted_database_is_not_made_new() {
    let facts = Facts {
        needs_lost_key: Some("MariaDB is encrypted.".into()),
        database: Database::Interrupted,
        ..nothing_yet()
    };
    let refused = plan(&facts, &wanted(), Attendance::Person).unwrap_err();
    assert!(refused.next.contains("--from-stick"), "{refused}");
}

#[test]
fn what_was_added_to_the_answers_replaces_no_enrolled_place() {
    let mut facts = nothing_yet();
    for step in [Vault, Place, Stick, Code, Policy, Stage, Encrypt] {
        after(&mut facts, step, &wanted());
    }
    let told = |facts: &Facts, answers: &Answers| {
        let plan = plan(facts, answers, Attendance::Nobody).unwrap();
        assert_eq!(plan.steps, [], "it would lose what was given by hand");
        plan.later
    };
    let nothing = [""; 0];
    assert_eq!(told(&facts, &wanted()), nothing);
    let server = |url: &str| Answers {
        key_servers: vec![KeyServer {
            url: url.into(),
            thumbprint: String::new(),
        }],
        ..wanted()
    };
    let station = Answers {
        neighbours: Neighbours::Named(vec![[192, 168, 1, 1].into()]),
        ..wanted()
    };
    let by_address = server("http://192.168.1.5:7500");
    let by_name = server("http://tang.example:7500/");
    for answers in [&station, &by_address, &by_name] {
        assert_eq!(told(&facts, answers), [NOT_ENROLLED]);
    }
    let vault = facts.vault.as_mut().unwrap();
    vault.neighbours.push([192, 168, 1, 1].into());
    vault.key_servers.push(([192, 168, 1, 5], 7500).into());
    for answers in [&station, &by_address, &by_name] {
        assert_eq!(told(&facts, answers), nothing);
    }
    let other = server("192.168.1.6");
    assert_eq!(told(&facts, &other), [NOT_ENROLLED]);
}

#[test]
fn a_stopped_database_is_released_when_a_person_says_so() {
    let mut facts = nothing_yet();
    for step in [Vault, Place, Stick, Code, Policy, Stage, Encrypt] {
        after(&mut facts, step, &wanted());
    }
    facts.waits_for_release = true;
    assert_eq!(kinds(&facts, &wanted(), Attendance::Person), [Release]);
    let alone = plan(&facts, &wanted(), Attendance::Nobody).unwrap();
    assert_eq!(
        (alone.steps.len(), &alone.later[..]),
        (0, &[NOT_RELEASED][..])
    );
}

#[test]
fn answers_of_another_server_change_nothing() {
    let mut facts = nothing_yet();
    after(&mut facts, Vault, &wanted());
    let answers = Answers {
        name: Some("pharmacy".try_into().unwrap()),
        ..wanted()
    };
    assert!(plan(&facts, &answers, Attendance::Nobody).is_err());
}

#[test]
fn without_any_way_back_nothing_is_begun() {
    let answers = Answers {
        stick: None,
        code: false,
        ..wanted()
    };
    let refused = plan(&nothing_yet(), &answers, Attendance::Nobody).unwrap_err();
    assert!(refused.what.contains("NO WAY BACK"), "{refused}");
    // A code is one; nobody can write it down where nobody is.
    let answers = Answers {
        code: true,
        ..answers
    };
    assert!(kinds(&nothing_yet(), &answers, Attendance::Person).contains(&Code));
}

#[test]
fn stick_that_a_reset_may_have_wiped_is_no_way_back() {
    let mut facts = nothing_yet();
    after(&mut facts, Vault, &wanted());
    after(&mut facts, Place, &wanted());
    facts.vault.as_mut().unwrap().has_untried_sticks = true;
    assert!(kinds(&facts, &wanted(), Attendance::Person).contains(&Stick));
    let nothing = Answers::default();
    let refused = plan(&facts, &nothing, Attendance::Person).unwrap_err();
    assert!(refused.next.contains("stayput stick verify"), "{refused}");
}

#[test]
fn clear_swap_is_replaced_only_as_its_owner_says() {
    let facts = Facts {
        clear_memory: Some("/dev/sda3 is clear swap.".into()),
        ..nothing_yet()
    };
    assert!(plan(&facts, &wanted(), Attendance::Nobody).is_err());
    let answers = Answers {
        swap: Some(SwapChoice::Zram),
        ..wanted()
    };
    let done = plan(&facts, &answers, Attendance::Nobody).unwrap();
    let enable = done.steps.iter().find(|step| step.kind == Encrypt).unwrap();
    assert_eq!(
        enable.words,
        line(&["mariadb", "enable", "--swap", "zram", "--yes"])
    );
    let leaves = Answers {
        leaves_database: true,
        ..wanted()
    };
    assert!(plan(&facts, &leaves, Attendance::Nobody).is_ok());
}

#[test]
fn server_without_mariadb_is_told_to_come_back() {
    let facts = Facts {
        database: Database::Absent,
        ..nothing_yet()
    };
    let done = plan(&facts, &wanted(), Attendance::Person).unwrap();
    assert!(!done.steps.iter().any(|step| step.kind == Encrypt));
    assert_eq!(done.later, [NO_DATABASE]);
}

/// Every step of a plan that has them all.
pub fn every_step() -> Vec<Step> {
    let answers = Answers {
        vault: Some("/boot/efi/stayput.vault".into()),
        key_servers: vec![KeyServer {
            url: "http://192.168.1.5:7500".into(),
            thumbprint: "-bcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ".into(),
        }],
        neighbours: Neighbours::Named(vec![[192, 168, 1, 1].into()]),
        ..wanted()
    };
    let mut steps = plan(&nothing_yet(), &answers, Attendance::Person)
        .unwrap()
        .steps;
    let swap = Facts {
        clear_memory: Some("swap".into()),
        ..nothing_yet()
    };
    let stick = answers.stick.clone().map(|stick| NewStick {
        pin: PinFrom::Nowhere,
        ..stick
    });
    let stopped = Facts {
        database: Database::Encrypted,
        waits_for_release: true,
        ..nothing_yet()
    };
    steps.extend(plan(&stopped, &answers, Attendance::Person).unwrap().steps);
    let others = Answers {
        swap: Some(SwapChoice::RandomKey),
        neighbours: Neighbours::None,
        stick,
        ..answers
    };
    steps.extend(plan(&swap, &others, Attendance::Nobody).unwrap().steps);
    // Names that look like options.
    let mut odd = others;
    odd.name = Some("-clinic".try_into().unwrap());
    odd.vault = Some("-vault".into());
    let stick = odd.stick.as_mut().unwrap();
    stick.label = "-office".into();
    stick.kept = Some("- in the safe".try_into().unwrap());
    steps.extend(plan(&swap, &odd, Attendance::Person).unwrap().steps);
    steps
}
