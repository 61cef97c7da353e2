//! What a person's way in can do besides opening: mend settings that were
//! changed, and make this place the home of a server that was reset.

use super::Stage;
use crate::environment::{
    FROM_NOTHING, HOME, KeyServers, SECOND, choose, count, enrol, look_around, neighbour_label,
    opens_again, put_beside_home, table_of, usual_thresholds,
};
use crate::keys::MasterKey;
use crate::stick::Stick;
use crate::sys::clock;
use crate::vault::locate::{self, LocateError};
use crate::vault::{
    Answered, EventKind, Group, KnownCode, Label, OpenedBy, Passphrases, Policy, StickList,
    VaultError,
};

/// Logs an error in full; on the screen stands what it means.
fn tell<E: core::fmt::Display>(words: &'static str) -> impl Fn(E) -> &'static str {
    move |error| {
        log::error!("the place was not remembered: {error}");
        words
    }
}

type PlaceName = heapless::String<32>;

/// What a person asked for, until it can be done.
#[derive(Default)]
pub(super) struct Recovery {
    /// Whoever opens the server next has this place remembered.
    remember: bool,
    mend: Option<ToMend>,
}

/// What opened a vault whose settings do not prove.
struct ToMend {
    key: MasterKey,
    by: OpenedBy,
    /// The stick, if it was one.
    stick: Option<Stick>,
    /// What it was, for the new list.
    known: StickList,
}

impl Recovery {
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The key does not outlive the stick in the server.
    pub fn forget_sticks(&mut self, is_in: impl Fn(&Stick) -> bool) {
        let stick = self.mend.as_ref().and_then(|mend| mend.stick.as_ref());
        if stick.is_some_and(|stick| !is_in(stick)) {
            self.mend = None;
        }
    }
}

impl Stage {
    pub(super) fn remember_later(&mut self) {
        let slots = self.found.as_ref().map(|found| found.slots.as_ref());
        let words = match slots {
            Ok(Ok(_)) => {
                "Whoever opens this server next adds this place beside its home: with a\n\
                 backup stick, a passphrase or the code."
            }
            Ok(Err(VaultError::WasReset | VaultError::PepperDamaged)) => {
                "The next backup stick or code makes this place its home."
            }
            _ => {
                let reason = self.reason();
                return self.screen.say(&reason);
            }
        };
        self.recovery.remember = true;
        self.screen.say(&words);
    }

    /// The key is right, and what decides about a release does not prove.
    pub(super) fn offer_mending(&mut self, key: &MasterKey, by: &OpenedBy, error: LocateError) {
        let LocateError::Vault(VaultError::Altered | VaultError::Damaged) = error else {
            return;
        };
        let mut known = StickList::default();
        let mut stick = None;
        match (by, &self.waiting, &self.found) {
            (OpenedBy::Environment { .. }, ..) => return,
            (OpenedBy::Stick { .. }, Some(waiting), _) => {
                stick = Some(waiting.stick.clone());
                known.sticks.extend([waiting.file.info.known(clock::now())]);
            }
            (OpenedBy::Code, _, Ok(found)) => {
                known.code = Some(KnownCode {
                    generation: found.header.generation,
                    verified: clock::now(),
                    kept: heapless::String::new(),
                });
            }
            _ => {}
        }
        let (key, by) = (key.clone(), by.clone());
        self.recovery.mend = Some(ToMend {
            key,
            by,
            stick,
            known,
        });
        self.screen.say(
            &"The key is right, but the settings on the disk were not written by this\n\
              server. To put safe settings back and go on, type mend.",
        );
    }

    /// Puts safe settings back; true when the server then opened.
    pub(super) fn mend(&mut self) -> bool {
        let Some(ToMend { key, by, known, .. }) = self.recovery.mend.take() else {
            self.screen
                .say(&"There is nothing to mend yet. Plug in a backup stick first.");
            return false;
        };
        let mended = locate::open(&self.place).and_then(|mut vault| Ok(vault.mend(&key, &known)?));
        if let Err(error) = mended {
            log::error!("not mended: {error}");
            self.screen.say(&error);
            return false;
        }
        log::warn!("safe settings were put back");
        self.note(EventKind::SettingsMended);
        self.find_vault();
        self.open(&key, by)
    }

    /// After a person has opened it: this place from now on, if that was asked
    /// for. The key is released already; whatever fails here costs nothing.
    pub(super) fn remember_place(&mut self, key: &MasterKey, policy: &Policy) {
        if !std::mem::take(&mut self.recovery.remember) {
            return;
        }
        self.screen.consoles.print("Looking at this place ...\n");
        let words = match self.enrol_here(key, policy) {
            Ok(()) => "This place is remembered: the server opens here by itself again.",
            Err(words) => words,
        };
        log::warn!("{words}");
        self.screen.consoles.print(&format!("{words}\n"));
    }

    /// The same enrolment as `stayput enroll`, with its usual thresholds.
    fn enrol_here(&self, key: &MasterKey, policy: &Policy) -> Result<(), &'static str> {
        const NOBODY: &str =
            "None of the neighbours that were enrolled answers: this place is not remembered.";
        const WEAKER: &str =
            "This place is not remembered: it would be easier to feign than the home.";
        const FAILED: &str = "This place could not be remembered. Run stayput enroll later.";
        const SERVERS: &str =
            "This server has a key server: only stayput enroll --tang remembers another place.";
        if policy.has_servers {
            return Err(SERVERS);
        }
        let ips = policy.neighbours.iter();
        let labels: Vec<Label> = ips.map(|ip| neighbour_label(*ip)).collect();
        let observed = look_around(labels.iter(), KeyServers::default(), FROM_NOTHING, |_| {
            false
        });
        let chosen = choose(&observed, &labels).chosen;
        let need = usual_thresholds(&chosen);
        let factors = Answered {
            machine: need.machine,
            machine_of: count(&chosen, Group::Machine),
            place: need.place,
            place_of: count(&chosen, Group::Place),
            ..Answered::default()
        };
        // Without one of them it would open anywhere.
        if factors.place_of < need.place {
            return Err(NOBODY);
        }
        let mut vault = locate::open(&self.place).map_err(tell(FAILED))?;
        let before = vault.slots().ok();
        let (name, id) = match &before {
            Some(table) => (SECOND, table.next_id),
            None => (HOME, 0),
        };
        let name: PlaceName = name.try_into().expect("a short name fits");
        let header = vault.header();
        let slot = enrol(header, key, id, name.clone(), &chosen, need, |_, _| ())
            .ok()
            .filter(|slot| opens_again(header, slot, &observed))
            .ok_or(FAILED)?;
        let rearmed = before.is_none().then_some(EventKind::Rearmed);
        let table = match before {
            Some(mut table) => {
                put_beside_home(&mut table, slot).map_err(tell(WEAKER))?;
                table
            }
            None => table_of(slot, Passphrases::default()).into(),
        };
        vault.replace_slots(key, &table).map_err(tell(FAILED))?;
        let enrolled = EventKind::Enrolled {
            place: name,
            factors,
        };
        for kind in rearmed.into_iter().chain([enrolled]) {
            let noted = vault.append(clock::now(), clock::boot_id(), kind);
            // It opens here, noted or not.
            let _ = noted.map_err(tell(FAILED));
        }
        Ok(())
    }
}
