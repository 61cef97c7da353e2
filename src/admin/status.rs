//! `stayput status`: how things stand, on one screen.

use super::init::SETUP;
use super::log::time;
use super::unlock::{Recognition, open_vault, recognise};
use super::{Problem, Result, watch};
use crate::theft::{OnAlarm, TheftState};
use crate::vault::{Header, StickList, VaultError};

/// What status tells, for people and for scripts.
struct Status<'a> {
    header: &'a Header,
    recognition: Option<&'a Recognition>,
    /// Why the slots cannot be read, if they cannot.
    fault: Option<VaultError>,
    sticks: Option<&'a StickList>,
    mariadb: Option<bool>,
    theft: Option<TheftState>,
    /// What the policy wants of the watch, where the policy is proven.
    wanted: Option<OnAlarm>,
    /// How the watch stands, if it runs.
    watch: Option<watch::Report>,
}

pub fn run(json: bool) -> Result<()> {
    let vault = open_vault()?;
    let slots = vault.slots();
    let recognition = slots
        .as_deref()
        .ok()
        .and_then(|slots| recognise(&vault, slots));
    let key = recognition.as_ref().and_then(|found| found.key.as_ref());
    let proven = key
        .map(|key| vault.prove(key))
        .transpose()
        .map_err(|error| Problem::failed(error.to_string(), "Use a backup stick to open it."))?;
    let status = Status {
        header: vault.header(),
        recognition: recognition.as_ref(),
        fault: slots.as_ref().err().copied(),
        sticks: proven.as_ref().map(|proven| &proven.sticks),
        mariadb: proven
            .as_ref()
            .map(|proven| proven.policy.mariadb.is_some()),
        theft: vault.state().ok(),
        wanted: proven
            .as_ref()
            .map(|proven| proven.policy.theft.watch.on_alarm),
        watch: watch::report(),
    };
    if json {
        println!("{:#}", status.json());
    } else {
        status.print();
    }
    Ok(())
}

impl Status<'_> {
    fn opens_here(&self) -> bool {
        self.recognition.is_some_and(|found| found.key.is_some())
    }

    fn only_setup(&self) -> bool {
        self.recognition.is_some_and(|found| found.place == SETUP)
    }

    fn print(&self) {
        println!(
            "Server: {} ({})",
            self.header.server_name, self.header.server_id
        );
        if let Some(fault) = self.fault {
            println!("Vault: {fault}");
        }
        if let Some(TheftState::Suspect { strikes, .. }) = self.theft {
            println!("Theft: started in foreign places since it last opened: {strikes}.");
        }
        if let Some(TheftState::Reset { cause, time: at }) = self.theft {
            println!("Theft: reset {}, {cause}.", time(at));
        }
        if self.opens_here() && self.only_setup() {
            println!("Place: none is enrolled; this machine opens anywhere. Run: stayput enroll");
        } else if self.opens_here() {
            self.print_place();
        } else {
            println!("Place: not recognised. The next boot here would ask for a stick.");
        }
        match self.sticks {
            Some(list) if list.sticks.is_empty() => {
                println!("Backup sticks: none. Run: stayput stick make DEVICE --label NAME");
            }
            Some(list) => {
                println!("Backup sticks:");
                for stick in &list.sticks {
                    let pin = if stick.has_pin {
                        "with a PIN"
                    } else {
                        "WITHOUT a PIN"
                    };
                    println!("  {}: made {}, {pin}", stick.label, time(stick.made));
                }
            }
            None => {}
        }
        match self.mariadb {
            Some(true) => println!("MariaDB: gets its keys from here."),
            Some(false) => println!("MariaDB: not set up. Run: stayput mariadb enable"),
            None => {}
        }
        println!("Watch: {}", self.watch_in_words());
    }

    fn watch_in_words(&self) -> String {
        let Some(watch) = self.watch else {
            return match self.wanted {
                Some(OnAlarm::Off) => "off.".into(),
                _ => "does not run. `systemctl status stayput-watch` tells why.".into(),
            };
        };
        let as_what = match watch.enrolled {
            true => "as enrolled",
            false => "as found when it was started",
        };
        let counts = [watch.same, watch.different, watch.silent];
        let all: u32 = counts.into_iter().map(u32::from).sum();
        let same = watch.same;
        let stands = format!("{same} of {all} neighbours {as_what}.");
        match watch.alarm {
            None => stands,
            Some((alarm, since)) => format!("{stands}\n  ALARM since {}: {alarm}.", time(since)),
        }
    }

    fn print_place(&self) {
        let Some((found, comparison)) = self
            .recognition
            .and_then(|found| Some((found, found.comparison.as_ref()?)))
        else {
            return;
        };
        let same = comparison.same;
        println!(
            "Place: \"{}\". {} of {} machine factors as enrolled ({} needed), {} of {} neighbours \
             ({} needed).",
            found.place,
            same.machine,
            same.machine_of,
            found.need.machine,
            same.place,
            same.place_of,
            found.need.place
        );
        for label in &comparison.changed {
            println!("  changed: {label}");
        }
        for label in &comparison.silent {
            println!("  no answer: {label}");
        }
    }

    fn json(&self) -> serde_json::Value {
        let place = self
            .recognition
            .filter(|found| found.key.is_some())
            .map(|found| {
                let comparison = found.comparison.as_ref();
                serde_json::json!({
                    "name": found.place,
                    "need": { "machine": found.need.machine, "place": found.need.place },
                    "same": comparison.map(|comparison| comparison.same),
                    "changed": comparison.map(|comparison| &comparison.changed),
                    "silent": comparison.map(|comparison| &comparison.silent),
                })
            });
        serde_json::json!({
            "server": self.header.server_name,
            "server_id": self.header.server_id.to_string(),
            "generation": self.header.generation,
            "fault": self.fault.map(|fault| fault.to_string()),
            "opens_here": self.opens_here(),
            "enrolled": !self.only_setup(),
            "place": place,
            "sticks": self.sticks.map(|list| list.sticks.len()),
            "mariadb": self.mariadb,
            "strikes": self.theft.map(|state| state.strikes()),
            "reset": self.theft.map(|state| state.is_reset()),
            "watch": self.watch,
        })
    }
}
