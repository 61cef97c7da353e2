//! A clinic's server, and everything that may be missing around it.

use super::*;
use crate::admin::commands::simulate::without::taken_away;
use crate::environment::{table_with_place, test_slot};
use crate::keys::{CheapFactors, MasterKey};
use crate::opening::assessment::PROMPT_AFTER;
use crate::theft::{OnFailure, OnStrikes};
use crate::vault::{Group, KnownCode, Passphrases, SlotTable, Thresholds, Value, Ways};

const FACTORS: [(Group, &str); 6] = [
    (Group::Machine, "board"),
    (Group::Machine, "disk 0000:00:04.0"),
    (Group::Machine, "nic 0000:00:03.0"),
    (Group::Neighbours, "arp 10.0.0.1"),
    (Group::Neighbours, "arp 10.0.0.2"),
    (Group::Neighbours, "arp 10.0.0.3"),
];

/// Two of three of each are needed.
pub struct Clinic {
    header: Header,
    factors: Vec<(Group, &'static str)>,
    pub slots: SlotTable,
    policy: TheftPolicy,
    state: TheftState,
    sticks: StickList,
    ways: Ways,
    _cheap: CheapFactors,
}

const SERVER: (Group, &str) = (Group::Servers, "tang 10.0.0.9:80");

pub fn clinic() -> Clinic {
    clinic_of(&FACTORS, 0)
}

/// It needs a key server too.
fn bound_clinic() -> Clinic {
    clinic_of(&[&FACTORS[..], &[SERVER]].concat(), 1)
}

fn clinic_of(enrolled: &[(Group, &'static str)], servers: u8) -> Clinic {
    let cheap = CheapFactors::begin();
    let key = MasterKey::generate();
    let header = Header::of_a_new_server(&key);
    let factors = enrolled.iter();
    let factors = factors.map(|(group, label)| (*group, *label, value(label)));
    let need = Thresholds {
        machine: 2,
        neighbours: 2,
        servers,
    };
    let slot = test_slot(&header, &key, (1, "home"), factors, need);
    let mut ways = Ways::default();
    let _ = ways.make_code(&header, &key);
    Clinic {
        slots: table_with_place(slot, Passphrases::default()),
        header,
        factors: enrolled.to_vec(),
        policy: TheftPolicy::default(),
        state: TheftState::Armed,
        sticks: StickList::default(),
        ways,
        _cheap: cheap,
    }
}

fn value(label: &str) -> Value {
    Value::from_slice(&label.as_bytes()[label.len().saturating_sub(6)..]).unwrap()
}

impl Clinic {
    pub fn at_home(&self) -> Observed {
        let mut observed = Observed::default();
        for (_, label) in &self.factors {
            observed.note(&(*label).try_into().unwrap(), &value(label));
        }
        observed
    }

    fn forecast(&self, without: &[&str], strangers: bool) -> Forecast {
        let without: Vec<Without> = without.iter().map(|text| text.parse().unwrap()).collect();
        let observed = taken_away(&self.at_home(), &self.slots, &without, strangers);
        forecast(self.snapshot(), observed)
    }

    fn snapshot(&self) -> Snapshot {
        let policy = Policy {
            theft: self.policy,
            ..Policy::default()
        };
        Snapshot {
            header: self.header.clone(),
            slots: Ok(Box::new(self.slots.clone())),
            state: Ok(self.state),
            policy: Some(Unproven::new(policy)),
            sticks: Some(Unproven::new(self.sticks.clone())),
            ways: Unproven::new(self.ways.clone()),
        }
    }

    fn locked(&self, without: &[&str], strangers: bool) -> LockedForecast {
        match self.forecast(without, strangers) {
            Forecast::Locked(locked) => locked,
            Forecast::Opens(place) => panic!("it opens at {place}"),
        }
    }

    fn kept_at_the_bank(mut self) -> Self {
        self.sticks.code = Some(KnownCode {
            generation: self.header.generation,
            verified: 1,
            kept: None,
        });
        self
    }
}

#[test]
fn at_home_or_with_one_router_less_it_opens() {
    for without in [&[][..], &["neighbour:10.0.0.1"], &["board"]] {
        for strangers in [false, true] {
            let forecast = clinic().forecast(without, strangers);
            assert!(matches!(forecast, Forecast::Opens(_)), "{forecast:?}");
        }
    }
}

#[test]
fn a_bare_table_is_silent_and_no_strike() {
    let locked = clinic().locked(&["place"], false);
    let said = "The place is silent: 0 of 3 neighbours answer, 2 are needed.";
    assert!(locked.prompt.1.contains(said), "{}", locked.prompt.1);
    assert_eq!(locked.prompt.0, PROMPT_AFTER);
    assert_eq!(
        locked.finding,
        Some((Duration::from_secs(90), Assessment::Absent))
    );
    assert_eq!(locked.strike, None);
    assert_eq!(locked.says_then, None, "it was said");
}

#[test]
fn in_another_house_a_strike_is_counted_after_the_wait() {
    let locked = clinic().locked(&["place"], true);
    let said = "This server has not found its place so far.";
    assert!(locked.prompt.1.contains(said), "{}", locked.prompt.1);
    assert_eq!(locked.prompt.0, Duration::ZERO, "all have answered");
    assert_eq!(
        locked.finding,
        Some((Duration::from_secs(90), Assessment::Foreign))
    );
    assert_eq!(locked.strike, Some((1, 3)));
    let then = locked.says_then.as_deref();
    assert_eq!(then, Some("This server does not recognise this place."));
}

#[test]
fn whatever_is_taken_away_the_prompt_names_it_and_nothing_else() {
    let silent = |without: &[&str]| {
        let locked = bound_clinic().locked(without, false);
        let names = [
            "This machine is not as it was: 0 of 3",
            "1 of 3 neighbours answer",
            "0 of 3 neighbours answer",
            "0 of 1 key server answers",
        ];
        names.map(|name| locked.prompt.1.contains(name))
    };
    let two_neighbours = ["neighbour:10.0.0.1", "neighbour:10.0.0.3"];
    assert_eq!(silent(&["machine"]), [true, false, false, false]);
    assert_eq!(silent(&two_neighbours), [false, true, false, false]);
    assert_eq!(silent(&["tang:10.0.0.9"]), [false, false, false, true]);
    assert_eq!(silent(&["place"]), [false, false, true, true]);
    for without in [&[][..], &two_neighbours[..1], &["tang:10.0.0.8"]] {
        let forecast = bound_clinic().forecast(without, false);
        assert!(matches!(forecast, Forecast::Opens(_)), "{without:?}");
    }
    // A server that stands in for the right one opens nothing either.
    let locked = bound_clinic().locked(&["tang:10.0.0.9"], true);
    let lost = Some((Duration::from_secs(90), Assessment::KeyServerLost));
    assert_eq!((locked.finding, locked.strike), (lost, None));
    let said = "a key server does not know the key of this server";
    assert!(locked.prompt.1.contains(said), "{}", locked.prompt.1);
}

#[test]
fn another_machine_is_no_strike() {
    let locked = clinic().locked(&["machine"], false);
    assert!(
        locked
            .prompt
            .1
            .contains("This machine is not as it was: 0 of 3")
    );
    let changed = Some((Duration::from_secs(90), Assessment::ChangedMachine));
    assert_eq!(locked.finding, changed);
    assert_eq!(locked.strike, None);
    // All of them are others: the neighbours say that this is home.
    let locked = clinic().locked(&["machine"], true);
    let said = "parts of this machine are not the ones it was enrolled";
    assert!(locked.prompt.1.contains(said), "{}", locked.prompt.1);
    assert_eq!((locked.finding, locked.strike), (changed, None));
}

#[test]
fn the_last_strike_resets_only_where_a_way_back_is_listed() {
    let last = || {
        let mut clinic = clinic();
        clinic.policy.on_strikes = OnStrikes::Reset;
        clinic.state = TheftState::Suspect {
            strikes: 2,
            boot_id: [7; 16],
        };
        clinic
    };
    let locked = last().locked(&["place"], true);
    assert_eq!(locked.strike, Some((3, 3)));
    assert_eq!(locked.ends, Ends::Withheld);
    assert!(locked.text().contains("NOTHING IS LISTED THAT OPENS IT"));
    let locked = last().kept_at_the_bank().locked(&["place"], true);
    assert_eq!(locked.ends, Ends::Reset(ResetCause::Strikes));
    let text = locked.text();
    assert!(
        text.contains("This server was reset, after too many"),
        "{text}"
    );
    assert!(text.contains("What opens it: the recovery code."), "{text}");
}

#[test]
fn a_server_that_may_go_on_says_so() {
    let mut clinic = clinic();
    clinic.policy.on_failure = OnFailure::Continue;
    clinic.policy.wait = 30;
    let locked = clinic.locked(&["place"], false);
    assert_eq!(
        locked.finding,
        Some((Duration::from_secs(30), Assessment::Absent))
    );
    let text = locked.text();
    assert!(text.contains("starts without the database"), "{text}");
}

#[test]
fn a_reset_server_is_forecast_at_once() {
    let clinic = clinic();
    let reset = Snapshot {
        slots: Err(VaultError::WasReset),
        state: Ok(TheftState::Reset {
            cause: ResetCause::Owner,
            time: 1,
        }),
        ..clinic.snapshot()
    };
    let Forecast::Locked(locked) = forecast(reset, clinic.at_home()) else {
        panic!("it opens");
    };
    assert!(locked.prompt.1.contains("was reset, as root asked for"));
    assert_eq!(locked.prompt.0, Duration::ZERO);
    assert_eq!(locked.strike, None);
}

#[test]
fn a_script_reads_the_prompt_and_what_follows_by_name() {
    let without = ["place".parse().unwrap()];
    let json = clinic().forecast(&["place"], true).document(&without, true);
    assert_eq!(json["opens"], false);
    assert_eq!(json["without"][0], "place");
    assert_eq!(json["locked"]["finding"], "foreign");
    assert_eq!(json["locked"]["finding_after_seconds"], 90);
    assert_eq!(json["locked"]["strikes"], 1);
    assert_eq!(json["locked"]["then"], "ask");
    let json = clinic().forecast(&[], false).document(&[], false);
    assert_eq!(json["opens"], true);
    assert_eq!(json["place"], "home");
    assert_eq!(json["locked"], serde_json::Value::Null);
}

/// A document with every field.
pub fn example() -> serde_json::Value {
    let without = ["place".parse().unwrap()];
    clinic().forecast(&["place"], true).document(&without, true)
}
