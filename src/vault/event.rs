//! What the event log tells: what happened at each boot. `event_log` says how
//! it is kept.

use heapless::String;
use serde::{Deserialize, Serialize};

use super::{Group, Thresholds};
use crate::theft::{Alarm, OnAlarm, ResetCause};

/// How many factors of a group answered, of how many enrolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Parts of the machine.
    pub machine: u8,
    /// Of so many enrolled.
    pub machine_of: u8,
    /// Neighbours.
    pub place: u8,
    /// Of so many enrolled.
    pub place_of: u8,
    /// Key servers.
    pub servers: u8,
    /// Of so many enrolled.
    pub servers_of: u8,
}

impl Answered {
    /// How many factors of this group answered, and how many are enrolled.
    pub fn of(self, group: Group) -> (u8, u8) {
        match group {
            Group::Machine => (self.machine, self.machine_of),
            Group::Place => (self.place, self.place_of),
            Group::Servers => (self.servers, self.servers_of),
        }
    }

    /// Whether enough of each group answered.
    pub fn reach(self, need: Thresholds) -> bool {
        let enough = |group| self.of(group).0 >= need.of(group);
        Group::ALL.into_iter().all(enough)
    }

    /// Whether every factor answered.
    pub fn are_all(self) -> bool {
        let all = |group| {
            let (count, of) = self.of(group);
            count == of
        };
        Group::ALL.into_iter().all(all)
    }
}

/// Counts factors: the group of each, and whether it answered.
impl FromIterator<(Group, bool)> for Answered {
    fn from_iter<I: IntoIterator<Item = (Group, bool)>>(factors: I) -> Self {
        let mut counts = Self::default();
        for (group, answers) in factors {
            let (count, of) = match group {
                Group::Machine => (&mut counts.machine, &mut counts.machine_of),
                Group::Place => (&mut counts.place, &mut counts.place_of),
                Group::Servers => (&mut counts.servers, &mut counts.servers_of),
            };
            *of += 1;
            *count += u8::from(answers);
        }
        counts
    }
}

/// Which way opened the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenedBy {
    /// An enrolled place, by name. The counts are of factors that are as they
    /// were enrolled, known once the vault is open, beside those that are
    /// needed.
    Environment {
        /// The place's name.
        place: String<32>,
        /// Factors that are as they were enrolled.
        same: Answered,
        /// Factors that are needed.
        need: Thresholds,
    },
    /// A backup stick.
    Stick {
        /// The stick's label.
        label: String<32>,
    },
    /// A person's passphrase.
    Passphrase {
        /// The person's name.
        name: String<32>,
    },
    /// The recovery code.
    Code,
}

/// Why the boot stage asked for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockedBecause {
    /// Too few factors of the place answered.
    PlaceSilent,
    /// Enough answered, and no permitted combination opened.
    NotRecognised,
    /// The pepper is damaged: no slot opens.
    PepperDamaged,
    /// A record was changed by somebody without the master key.
    Altered,
    /// The server was reset.
    Reset,
}

/// What happened. postcard stores the variant's number: new ones come last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// `stayput init` made the vault.
    VaultMade,
    /// A place was enrolled, by a command or at the prompt.
    Enrolled {
        /// The place's name.
        place: String<32>,
        /// The factors that were taken.
        factors: Answered,
    },
    /// The boot stage put the keys into memory.
    Released {
        /// Which way opened the vault.
        by: OpenedBy,
        /// From the stage's start to the keys in memory.
        milliseconds: u32,
    },
    /// The boot stage asked for a person.
    Locked {
        /// Why no place opened the vault.
        because: LockedBecause,
        /// The factors that had answered by then.
        answered: Answered,
    },
    /// A wrong PIN was entered for a stick of this server.
    WrongPin {
        /// The stick's label.
        stick: String<32>,
    },
    /// A backup stick was made.
    StickMade {
        /// The stick's label.
        stick: String<32>,
    },
    /// A stick was seen to open this server's key.
    StickVerified {
        /// The stick's label.
        stick: String<32>,
    },
    /// The database is encrypted, and its keys are released from now on.
    MariadbEnabled,
    /// A boot in a foreign place was counted.
    Strike {
        /// Strikes since the server last opened, this one included.
        strikes: u8,
        /// As many as the policy allows.
        of: u8,
    },
    /// The pepper was destroyed. `begun` is the time in the theft state, by
    /// which a boot that finishes a reset knows whether it was noted.
    Reset {
        /// Why.
        cause: ResetCause,
        /// Seconds since 1970 (UTC).
        begun: u64,
    },
    /// The limit was reached, and the reset would have destroyed the last way
    /// in.
    ResetWithheld {
        /// What would have caused it.
        cause: ResetCause,
    },
    /// This server's key files on plugged sticks were destroyed, or not.
    SticksWiped {
        /// Volumes whose key file was destroyed.
        wiped: u8,
        /// Volumes whose key file could not be destroyed, or must not be.
        left: u8,
    },
    /// The theft state said armed and nobody with the master key had written
    /// that: it was written anew.
    StateMended,
    /// Policy or list of sticks did not prove; safe settings were put back.
    SettingsMended,
    /// The owner has changed the policy.
    PolicyChanged,
    /// A reset or damaged vault opens by a place again.
    Rearmed,
    /// The system was started without the keys.
    WentOnLocked,
    /// A passphrase was added.
    PassphraseAdded {
        /// The person's name.
        name: String<32>,
    },
    /// A passphrase was changed.
    PassphraseChanged {
        /// The person's name.
        name: String<32>,
    },
    /// A passphrase was removed.
    PassphraseRemoved {
        /// The person's name.
        name: String<32>,
    },
    /// Also when it was the one for duress: see [`EventKind::Reset`].
    WrongPassphrase,
    /// A recovery code was typed that is not the server's.
    WrongCode,
    /// Somebody has seen the recovery code.
    CodeShown,
    /// A part of the recovery code was typed back.
    CodeVerified,
    /// It is not in the list any more; it may still open.
    StickRemoved {
        /// The stick's label.
        stick: String<32>,
    },
    /// When the server opened, the log before this did not prove: it was
    /// changed or cut, or the last unlock is older than what it keeps.
    LogNotProven,
    /// What had changed of a place was taken over.
    Refreshed {
        /// The place's name.
        place: String<32>,
        /// Values, and own addresses.
        changed: u8,
    },
    /// `stayput release` put the keys into memory.
    ReleasedByHand,
    /// The running server seemed to be carried away.
    WatchAlarm {
        /// Why.
        alarm: Alarm,
        /// What the policy wants done about it.
        wanted: OnAlarm,
    },
    /// After an alarm the server was at home for long enough.
    WatchAllClear,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts all events of this vault, from 1.
    pub number: u64,
    /// Seconds since 1970 (UTC), as the machine's clock had it.
    pub time: u64,
    /// The kernel's random id of this boot.
    pub boot_id: [u8; 16],
    /// What happened.
    pub kind: EventKind,
}

/// Wrong PINs, passphrases and codes since the server last opened: what slows
/// the next entry down, in the next boot too.
pub fn wrong_entries(events: &[Event]) -> u32 {
    let since = events
        .iter()
        .rev()
        .take_while(|event| !matches!(event.kind, EventKind::Released { .. }));
    let wrong = since.filter(|event| {
        matches!(
            event.kind,
            EventKind::WrongPin { .. } | EventKind::WrongPassphrase | EventKind::WrongCode
        )
    });
    wrong.count().try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn longest(number: u64) -> Event {
        Event {
            number,
            time: u64::MAX,
            boot_id: [0xff; 16],
            kind: EventKind::Released {
                by: OpenedBy::Environment {
                    place: "x".repeat(32).as_str().try_into().unwrap(),
                    same: Answered {
                        machine: 255,
                        machine_of: 255,
                        place: 255,
                        place_of: 255,
                        servers: 255,
                        servers_of: 255,
                    },
                    need: Thresholds {
                        machine: 255,
                        place: 255,
                        servers: 255,
                    },
                },
                milliseconds: u32::MAX,
            },
        }
    }

    #[test]
    fn each_group_is_counted_by_itself() {
        use Group::{Machine, Place, Servers};
        let factors = [
            (Machine, true),
            (Place, true),
            (Place, false),
            (Place, true),
            (Servers, false),
        ];
        let counts: Answered = factors.into_iter().collect();
        let of = Group::ALL.map(|group| counts.of(group));
        assert_eq!(of, [(1, 1), (2, 3), (0, 1)]);
        assert!(!counts.are_all());
        let need = |machine, place, servers| Thresholds {
            machine,
            place,
            servers,
        };
        assert!(counts.reach(need(1, 2, 0)));
        for more in [need(2, 0, 0), need(0, 3, 0), need(0, 0, 1)] {
            assert!(!counts.reach(more), "{more:?}");
        }
    }

    #[test]
    fn wrong_entries_of_every_kind_count_until_the_server_opens() {
        let event = |kind| Event {
            number: 1,
            time: 0,
            boot_id: [0; 16],
            kind,
        };
        let pin = || {
            event(EventKind::WrongPin {
                stick: String::new(),
            })
        };
        let passphrase = || event(EventKind::WrongPassphrase);
        let code = || event(EventKind::WrongCode);
        let noise = || event(EventKind::PolicyChanged);
        assert_eq!(wrong_entries(&[]), 0);
        assert_eq!(
            wrong_entries(&[pin(), noise(), passphrase(), noise(), code()]),
            3
        );
        assert_eq!(
            wrong_entries(&[pin(), longest(2), passphrase(), noise()]),
            1
        );
        assert_eq!(wrong_entries(&[code(), longest(2)]), 0);
    }
}
