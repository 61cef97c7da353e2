//! The vault that is open, and its key: what a command reads and writes in it.

use crate::admin::ask::Pin;
use crate::admin::open_vault::copy_beside;
use crate::admin::problem::Result;
use crate::environment::{ChosenFactor, neighbour_addresses};
use crate::keys::{Keyring, MasterKey};
use crate::stick::StickInfo;
use crate::theft::WayBack;
use crate::vault::locate::VaultDisk;
use crate::vault::{
    EventKind, Header, MariadbRelease, NextGeneration, NextRecords, PlaceInWords, Policy,
    ProvenRecords, SealedPlace, SlotTable, StickList, Vault, VaultError, WAYS_COPY, Ways, Written,
    is_key_server,
};

/// The vault and its key, for as long as one command takes.
pub struct Unlocked {
    /// The open vault.
    pub vault: Vault<VaultDisk>,
    key: MasterKey,
    /// The records that the key proves.
    pub proven: ProvenRecords,
    /// The stick that has opened it, if one has.
    stick: Option<StickInfo>,
    /// The disk has refused a copy of a record, and that was said.
    fails: bool,
    /// The passphrase that has opened it, until its way in was looked at.
    typed: Option<Pin>,
}

impl Unlocked {
    /// Takes over a vault whose key is known already.
    ///
    /// # Errors
    /// When the key does not prove it.
    pub(in crate::admin) fn new(
        vault: Vault<VaultDisk>,
        key: MasterKey,
    ) -> core::result::Result<Self, VaultError> {
        let proven = vault.prove(&key)?;
        Ok(Self {
            vault,
            key,
            proven,
            stick: None,
            fails: false,
            typed: None,
        })
    }

    /// The same, of which it is known which stick has opened it, or which passphrase.
    pub(super) fn opened_by(mut self, stick: Option<StickInfo>, typed: Option<Pin>) -> Self {
        self.stick = stick;
        self.typed = typed;
        self
    }

    /// What stands in the vault now: since this command began a person may have
    /// been asked, and another command may have changed it.
    ///
    /// # Errors
    /// When the vault cannot be read, or is another one.
    pub fn read_again(&mut self) -> Result<()> {
        self.vault.read_again()?;
        self.proven = self.vault.prove(&self.key)?;
        Ok(())
    }

    /// A disk that refuses a copy is told of, once.
    fn written(&mut self, written: Written) {
        if written == Written::Once && !self.fails {
            self.fails = true;
            println!(
                "The disk that holds the vault begins to fail: it took one copy of two. Make a \
                 backup stick\n(stayput stick make), then replace the disk."
            );
        }
    }

    /// The key that opened the vault.
    pub fn master_key(&self) -> &MasterKey {
        &self.key
    }

    /// All master keys of this server.
    pub fn keys(&self) -> &Keyring {
        &self.proven.keys
    }

    /// Gives the person whose passphrase has opened it a new way key, where theirs is older
    /// than the master key. Else that comes when the command has done its work: it opens
    /// the server also where the disk takes no writes.
    ///
    /// # Errors
    /// When the vault cannot be read or written. It opens as before.
    pub fn renew_way(&mut self) -> Result<()> {
        let Some(typed) = self.typed.take() else {
            return Ok(());
        };
        self.read_again()?;
        let Some(mut slots) = self.slots()? else {
            return Ok(());
        };
        let (header, key) = (self.vault.header(), &self.key);
        match slots.passphrases.renew(header, key, &typed) {
            true => self.replace_slots(&slots),
            false => Ok(()),
        }
    }

    /// The ways in of sticks and code.
    ///
    /// # Errors
    /// When the disk does not answer.
    pub fn ways(&self) -> Result<Ways> {
        Ok(self.vault.ways(&self.key)?)
    }

    /// Puts back what the list names and the vault has lost of the ways in: from the copy
    /// beside vault.conf, where that is of the key of now. The command goes on where that
    /// fails.
    pub(super) fn restore_ways(&mut self) {
        let (header, list) = (self.vault.header(), &self.proven.sticks);
        let copy = copy_beside(&header.server_id).filter(|copy| copy.is_of(header));
        let (Some(copy), Ok(ways)) = (copy, self.ways()) else {
            return;
        };
        let lost = lost_of(&copy.ways(), &ways, list);
        if lost == Ways::default() {
            return;
        }
        match self.change_ways(|_, ways| ways.fill_from(&lost)) {
            Ok(()) => eprintln!(
                "The vault had lost what sticks or the code open it with. It was put back from \
                 {WAYS_COPY}."
            ),
            Err(problem) => eprintln!(
                "The vault has lost what sticks or the code open it with, and it cannot be put \
                 back: {}",
                problem.what
            ),
        }
    }

    /// Changes the ways in of sticks and code as they are now, whoever has written them
    /// meanwhile. Returns what `change` says.
    ///
    /// # Errors
    /// When the vault cannot be read or written.
    pub fn change_ways<T>(&mut self, change: impl FnOnce(&Header, &mut Ways) -> T) -> Result<T> {
        let (said, written) = self.vault.change_ways(&self.key, change)?;
        self.written(written);
        Ok(said)
    }

    /// Stores in the policy what MariaDB is given at each boot; `None` is nothing.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub fn set_mariadb(&mut self, release: Option<MariadbRelease>) -> Result<()> {
        // To come here may have taken hours.
        self.read_again()?;
        let mut policy = self.proven.policy.draft();
        let event = match release {
            Some(_) => EventKind::MariadbEnabled,
            None => EventKind::MariadbDisabled,
        };
        policy.mariadb = release;
        self.set_policy(policy)?;
        self.log(event)
    }

    /// Puts this policy in place of the one that was read.
    ///
    /// # Errors
    /// When the vault cannot be written, or has another policy meanwhile.
    pub fn set_policy(&mut self, policy: Policy) -> Result<()> {
        let (policy, written) = self.vault.set_policy(&self.key, policy)?;
        self.proven.policy = policy;
        self.written(written);
        Ok(())
    }

    /// Stores in the policy whom to ask when this place is enrolled after a
    /// reset.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub fn set_neighbours(&mut self, chosen: &[ChosenFactor]) -> Result<()> {
        self.read_again()?;
        let mut policy = self.proven.policy.draft();
        policy.neighbours = neighbour_addresses(chosen);
        policy.has_servers = chosen.iter().any(|factor| is_key_server(&factor.label));
        self.set_policy(policy)
    }

    /// Puts this list of sticks in place of the one that was read.
    ///
    /// # Errors
    /// When the vault cannot be written, or has another list meanwhile.
    pub fn set_sticks(&mut self, sticks: StickList) -> Result<()> {
        let (sticks, written) = self.vault.set_sticks(&self.key, sticks)?;
        self.proven.sticks = sticks;
        self.written(written);
        Ok(())
    }

    /// Notes that the stick that has opened the vault for this command opens it: after a
    /// reset no other counts as verified.
    ///
    /// # Errors
    /// As [`Unlocked::set_sticks`].
    pub fn note_stick_used(&mut self) -> Result<()> {
        let Some(used) = self.stick.take() else {
            return Ok(());
        };
        let generation = self.vault.header().generation;
        let seen = used.known(generation, crate::sys::clock::now());
        let (sticks, written) = self.vault.note_verified(&self.key, seen)?;
        self.proven.sticks = sticks;
        self.written(written);
        Ok(())
    }

    /// Whether a verified stick, plugged in or not, or the code opens this server after a
    /// reset.
    pub fn way_back(&self) -> WayBack {
        self.vault.way_back(&self.key)
    }

    /// Where a stick or the code is kept, as the vault keeps it.
    pub fn seal_place(&self, place: &PlaceInWords) -> SealedPlace {
        SealedPlace::seal(self.vault.header(), &self.key, place)
    }

    /// Where it is kept; empty where nobody was asked.
    pub fn place(&self, kept: Option<&SealedPlace>) -> PlaceInWords {
        let open = |kept: &SealedPlace| kept.open(self.vault.header(), &self.key);
        kept.and_then(open).unwrap_or_default()
    }

    /// The slots, to be written on; `None` where no place and no passphrase
    /// opens the vault any more.
    ///
    /// # Errors
    /// When they cannot be read, or somebody without the key has changed them.
    pub fn slots(&self) -> Result<Option<Box<SlotTable>>> {
        Ok(self.vault.slots_if_any(&self.key)?)
    }

    /// Puts this table of slots in place of the one that was read.
    ///
    /// # Errors
    /// When the vault cannot be written, or has another table meanwhile.
    pub fn replace_slots(&mut self, slots: &SlotTable) -> Result<()> {
        let written = self.vault.replace_slots(&self.key, slots)?;
        self.written(written);
        // After a reset the list of sticks has changed with them.
        self.proven = self.vault.prove(&self.key)?;
        Ok(())
    }

    /// Puts the next master key in force, with what was made for it.
    ///
    /// # Errors
    /// When the vault cannot be written, or somebody has changed it meanwhile.
    pub fn rekey(&mut self, next: &NextGeneration, records: &NextRecords<'_>) -> Result<()> {
        let written = self.vault.rekey(&self.key, next, records)?;
        self.key = next.key().clone();
        self.written(written);
        self.proven = self.vault.prove(&self.key)?;
        Ok(())
    }

    /// Arms the theft state: strikes do not count any more.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub fn arm(&mut self) -> Result<()> {
        let written = self.vault.arm(&self.key)?;
        self.written(written);
        Ok(())
    }

    /// Appends an event to the vault's log, and seals the log up to it.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub fn log(&mut self, kind: EventKind) -> Result<()> {
        let (time, boot_id) = (crate::sys::clock::now(), crate::sys::clock::boot_id());
        let written = self.vault.append_sealed(&self.key, time, boot_id, kind)?;
        self.written(written);
        Ok(())
    }
}

/// What of a copy the list names and these ways in do not have.
fn lost_of(copy: &Ways, ways: &Ways, list: &StickList) -> Ways {
    let is_listed = |id| list.sticks.iter().any(|stick| stick.id == id);
    let sticks = copy.sticks.iter();
    let sticks = sticks.filter(|theirs| is_listed(theirs.id) && ways.stick(theirs.id).is_none());
    let code = copy.code.clone();
    Ways {
        sticks: sticks.cloned().collect(),
        code: code.filter(|_| list.code.is_some() && ways.code.is_none()),
    }
}

impl Drop for Unlocked {
    fn drop(&mut self) {
        if let Err(problem) = self.renew_way() {
            eprintln!(
                "The passphrase opens this server as before. A new key for it could not be written: {}",
                problem.what
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{UnsealedWayKey, WayKey};
    use crate::vault::{KnownCode, KnownStick, WaysCopy};

    #[test]
    fn only_what_the_list_names_is_put_back_from_a_copy() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let mut ways = Ways::default();
        for id in [1, 2] {
            let way_key = UnsealedWayKey {
                key: WayKey::random(),
                made_in: 1,
            };
            assert!(ways.note_stick(&header, &key, [id; 8], &way_key, 1));
        }
        ways.make_code(&header, &key);
        let copy = WaysCopy::of(&header, &ways).ways();
        let mut list = StickList {
            sticks: [KnownStick {
                id: [2; 8],
                label: "office".try_into().unwrap(),
                has_pin: true,
                generation: 1,
                made: 0,
                verified: Some(7),
                kept: None,
            }]
            .into_iter()
            .collect(),
            code: None,
        };
        assert_eq!(lost_of(&copy, &ways, &list), Ways::default());
        let lost = lost_of(&copy, &Ways::default(), &list);
        assert!(lost.stick([2; 8]).is_some() && lost.stick([1; 8]).is_none());
        assert!(lost.code.is_none(), "nobody has it on paper any more");
        list.code = Some(KnownCode {
            generation: 1,
            verified: 7,
            kept: None,
        });
        assert!(lost_of(&copy, &Ways::default(), &list).code.is_some());
    }
}
