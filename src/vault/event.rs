//! The events in the log: what happened at each boot. `event_log` says how they
//! are stored.

use heapless::String;
use serde::{Deserialize, Serialize};

use super::{FactorCounts, Thresholds};
use crate::theft::{Alarm, OnAlarm, ResetCause};

/// The way in that opened the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenedBy {
    /// An enrolled place.
    Environment {
        /// The place's name.
        place: String<32>,
        /// Factors that are as they were enrolled; known once the vault is
        /// open.
        same: FactorCounts,
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
    /// The place is the enrolled one, and the machine is not.
    ChangedMachine,
    /// The neighbours are the enrolled ones, and too many key servers are not.
    KeyServerLost,
}

/// What happened. postcard stores the number of the variant: add new ones at
/// the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// `stayput init` made the vault.
    VaultMade,
    /// A place was enrolled, by a command or at the prompt.
    Enrolled {
        /// The place's name.
        place: String<32>,
        /// Factors that are needed, of those that are enrolled.
        factors: FactorCounts,
    },
    /// The boot stage put the keys into memory.
    Released {
        /// The way in that opened the vault.
        by: OpenedBy,
        /// Milliseconds from the stage's start until the keys were in memory.
        milliseconds: u32,
    },
    /// The server stayed locked, and a person was asked.
    Locked {
        /// Why no place opened the vault.
        because: LockedBecause,
        /// Factors of the home that had answered by then.
        answered: FactorCounts,
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
        /// The policy's limit.
        of: u8,
    },
    /// The pepper was destroyed.
    Reset {
        /// Why.
        cause: ResetCause,
        /// The time in the theft state, in seconds since 1970 (UTC): a boot
        /// that finishes a reset finds by it whether the reset was noted.
        begun: u64,
    },
    /// A reset was due, but it would have destroyed the last way in.
    ResetWithheld {
        /// What would have caused it.
        cause: ResetCause,
    },
    /// A reset found this server's keys on plugged sticks.
    SticksWiped {
        /// Volumes whose key file was destroyed.
        wiped: u8,
        /// Volumes whose key file could not be destroyed, or must not be.
        left: u8,
    },
    /// The theft state was armed without a right HMAC, and was written again.
    StateMended,
    /// Policy or list of sticks were altered, and safe settings were written.
    SettingsMended,
    /// The owner has changed the policy.
    PolicyChanged,
    /// A place opens the vault again after a reset or damage.
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
    /// A wrong passphrase was entered, or a duress passphrase.
    WrongPassphrase,
    /// A wrong recovery code was entered.
    WrongCode,
    /// The recovery code was shown.
    CodeShown,
    /// A part of the recovery code was typed back.
    CodeVerified,
    /// A stick was taken off the list; it may still open the server.
    StickRemoved {
        /// The stick's label.
        stick: String<32>,
    },
    /// When the server opened, the log before this event could not be proven:
    /// it was changed or cut, or the seal is older than what the log keeps.
    LogNotProven,
    /// A place was refreshed.
    Refreshed {
        /// The place's name.
        place: String<32>,
        /// How many values and own addresses changed.
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
    /// The alarm is over.
    WatchAllClear,
    /// A stick without a PIN was taken off the list.
    OpenStickRemoved {
        /// The stick's label.
        stick: String<32>,
        /// The stick's id.
        id: [u8; 8],
        /// Its key was destroyed; else it opens the server all the same.
        destroyed: bool,
    },
    /// MariaDB gets no keys from here any more.
    MariadbDisabled,
    /// The master key was replaced.
    KeyReplaced {
        /// The generation of the new one.
        generation: u32,
    },
    /// A stick with this server's key was in while the system ran. Once in each boot.
    KeyStickIn {
        /// The stick's label.
        stick: String<32>,
        /// The stick's id.
        id: [u8; 8],
    },
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedEvent {
    /// Number of the event in this vault, from 1.
    pub number: u64,
    /// Seconds since 1970 (UTC) by the machine's clock.
    pub time: u64,
    /// The kernel's random id of this boot.
    pub boot_id: [u8; 16],
    /// What happened.
    pub kind: EventKind,
}

/// Counts wrong PINs, passphrases and codes since the server last opened. They
/// slow the next entry down, in later boots too.
pub fn wrong_entries(events: &[LoggedEvent]) -> u32 {
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
    use crate::vault::Count;

    pub fn longest(number: u64) -> LoggedEvent {
        LoggedEvent {
            number,
            time: u64::MAX,
            boot_id: [0xff; 16],
            kind: EventKind::Released {
                by: OpenedBy::Environment {
                    place: "x".repeat(32).as_str().try_into().unwrap(),
                    same: FactorCounts::from_fn(|_| Count {
                        count: 255,
                        of: 255,
                    }),
                    need: Thresholds::from_fn(|_| 255),
                },
                milliseconds: u32::MAX,
            },
        }
    }

    #[test]
    fn wrong_entries_of_every_kind_count_until_the_server_opens() {
        let event = |kind| LoggedEvent {
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
