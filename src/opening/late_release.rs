//! Whether a server that was started without its keys gets them later, when its
//! place answers the running system: as a boot would have decided.

use core::time::Duration;

use crate::environment::Arrangements;
use crate::theft::{Assessment, BootResponse, OnFailure, WayBack, decide};
use crate::vault::{LocateError, ProvenRecords, VaultError};

/// The first pause, and the longest; each is twice the one before. The boot stage
/// has just asked everybody: no station is probed twice within eleven seconds.
const FIRST_PAUSE: Duration = Duration::from_secs(15);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The pause after this many looks.
pub fn pause_after(looks: u32) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(1 << looks.min(16));
    pause.min(LONGEST_PAUSE)
}

/// Looks in an hour, once the pauses have grown.
const LOOKS_IN_AN_HOUR: u32 = 12;

/// What is tried at a look, counted from 0. Other arrangements may cost half a minute
/// of a core where the place is another one: they are tried while the pauses grow, and
/// then once an hour.
pub fn arrangements_at(look: u32) -> Arrangements {
    match pause_after(look) < LONGEST_PAUSE || look.is_multiple_of(LOOKS_IN_AN_HOUR) {
        true => Arrangements::All,
        false => Arrangements::Enrolled,
    }
}

/// Why the running system does not look any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// The owner wants a server that does not open to stay as it is.
    Policy,
    /// No place opens this server any more: it was reset.
    Reset,
    /// No place opens this vault: a person has to look at it.
    Vault(LocateError),
}

/// What an unlocked vault leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateRelease {
    /// The keys are released; with `arms` strikes are cleared, or a state is mended
    /// that this server has not written.
    Now { arms: bool },
    /// Somebody has released them while the place was looked for. What has become of
    /// them since, by the policy or by hand, stays so.
    ByAnother,
    /// They are not.
    Never(GivenUp),
}

/// What the records say that the place's key has proven. The place is the right
/// one: this is what a boot would do here and now. `is_without_keys`: whether the mark
/// of a boot without the keys is there still.
pub fn decide_late(
    records: &ProvenRecords,
    boot_id: [u8; 16],
    is_without_keys: bool,
) -> LateRelease {
    if !is_without_keys {
        return LateRelease::ByAnother;
    }
    let theft = &records.policy.theft;
    if theft.on_failure != OnFailure::Continue {
        return LateRelease::Never(GivenUp::Policy);
    }
    let home = Assessment::AtHome;
    let decision = decide(&records.state, theft, home, boot_id, WayBack::None);
    match decision.then {
        BootResponse::Open => LateRelease::Now {
            arms: decision.write.is_some() || !records.state_proven,
        },
        BootResponse::Ask
        | BootResponse::AskThenGoOn
        | BootResponse::Reset(_)
        | BootResponse::Withhold(_) => LateRelease::Never(GivenUp::Reset),
    }
}

/// Whether looking goes on after the vault could not be used: a disk that comes
/// late, or somebody who is writing or has mounted it. Nothing else mends itself.
pub fn after_fault(error: LocateError) -> Option<GivenUp> {
    match error {
        error if error.is_of_the_disk() => None,
        LocateError::Vault(VaultError::Busy(_) | VaultError::Changed)
        | LocateError::Open(libc::EBUSY) => None,
        LocateError::Vault(VaultError::WasReset) => Some(GivenUp::Reset),
        error => Some(GivenUp::Vault(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;
    use crate::theft::{ResetCause, TheftPolicy, TheftState};
    use crate::vault::{MemoryDevice, Policy, ServerId, SlotTable, Vault};

    /// A vault whose owner wants the system to start without the keys.
    fn vault(theft: TheftPolicy) -> (Vault<MemoryDevice>, MasterKey) {
        let key = MasterKey::generate();
        let (id, name) = (ServerId::random(), "clinic".try_into().unwrap());
        let disk = MemoryDevice::default();
        let mut vault = Vault::create(disk, id, name, &key, &SlotTable::default()).unwrap();
        let policy = Policy {
            theft,
            ..Policy::default()
        };
        vault.set_policy(&key, policy).unwrap();
        (vault, key)
    }

    fn going_on() -> TheftPolicy {
        TheftPolicy {
            on_failure: OnFailure::Continue,
            ..TheftPolicy::default()
        }
    }

    const BOOT: [u8; 16] = [7; 16];

    #[test]
    fn an_armed_server_opens_when_its_place_answers_late() {
        let (vault, key) = vault(going_on());
        let records = vault.prove(&key).unwrap();
        let now = LateRelease::Now { arms: false };
        assert_eq!(decide_late(&records, BOOT, true), now);
    }

    #[test]
    fn strikes_are_cleared_at_home_as_a_boot_does() {
        let (mut vault, key) = vault(going_on());
        vault.strike(2, [9; 16]).unwrap();
        let records = vault.prove(&key).unwrap();
        assert_eq!(
            decide_late(&records, BOOT, true),
            LateRelease::Now { arms: true }
        );
    }

    #[test]
    fn a_reset_server_never_opens_late() {
        let (mut vault, key) = vault(going_on());
        vault.reset(ResetCause::Owner, 1, &mut || ());
        let mut records = vault.prove(&key).unwrap();
        let never = LateRelease::Never(GivenUp::Reset);
        assert!(records.state.is_reset());
        assert_eq!(decide_late(&records, BOOT, true), never);
        let cause = ResetCause::Watch;
        records.state = TheftState::ResetBegun { cause, time: 1 };
        assert_eq!(decide_late(&records, BOOT, true), never);
    }

    #[test]
    fn a_server_that_is_to_stay_locked_is_left_alone() {
        let (vault, key) = vault(TheftPolicy::default());
        let records = vault.prove(&key).unwrap();
        let never = LateRelease::Never(GivenUp::Policy);
        assert_eq!(decide_late(&records, BOOT, true), never);
    }

    #[test]
    fn altered_settings_are_never_proven() {
        let (mut vault, key) = vault(TheftPolicy::default());
        vault.claim_policy(&Policy {
            theft: going_on(),
            ..Policy::default()
        });
        let error = vault.prove(&key).map(drop).unwrap_err();
        assert_eq!(error, VaultError::Altered);
        let given_up = after_fault(error.into());
        assert_eq!(given_up, Some(GivenUp::Vault(error.into())));
    }

    #[test]
    fn only_what_mends_itself_is_waited_for() {
        for passing in [
            LocateError::NoPartition,
            LocateError::Vault(VaultError::Device(libc::EIO)),
            LocateError::Vault(VaultError::Busy(None)),
            LocateError::Open(libc::EBUSY),
        ] {
            assert_eq!(after_fault(passing), None, "{passing}");
        }
        let reset = after_fault(VaultError::WasReset.into());
        assert_eq!(reset, Some(GivenUp::Reset));
        for lasting in [
            LocateError::OtherServer,
            LocateError::Vault(VaultError::PepperDamaged),
            LocateError::Vault(VaultError::Damaged),
            LocateError::Vault(VaultError::Newer),
        ] {
            assert_eq!(after_fault(lasting), Some(GivenUp::Vault(lasting)));
        }
    }

    #[test]
    fn keys_released_by_hand_meanwhile_are_left_alone() {
        let (vault, key) = vault(going_on());
        let records = vault.prove(&key).unwrap();
        assert_eq!(decide_late(&records, BOOT, false), LateRelease::ByAnother);
    }

    #[test]
    fn other_arrangements_are_tried_at_first_and_then_each_hour() {
        let with_all = (0..40).filter(|look| arrangements_at(*look) == Arrangements::All);
        assert_eq!(with_all.collect::<Vec<_>>(), [0, 1, 2, 3, 4, 12, 24, 36]);
        let hour: Duration = (12..24).map(pause_after).sum();
        assert_eq!(hour.as_secs(), 3600);
    }

    #[test]
    fn pauses_grow_to_five_minutes_and_no_further() {
        let pauses: Vec<u64> = (0..7).map(|looks| pause_after(looks).as_secs()).collect();
        assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }
}
