//! The vault that is open, and its key: what a command reads and writes in it.

use crate::admin::problem::Result;
use crate::environment::{ChosenFactor, neighbour_addresses};
use crate::keys::{Keyring, MasterKey};
use crate::stick::StickInfo;
use crate::theft::WayBack;
use crate::vault::locate::VaultDisk;
use crate::vault::{
    EventKind, MariadbRelease, NextGeneration, NextRecords, PlaceInWords, Policy, ProvenRecords,
    SealedPlace, SlotTable, StickList, Vault, VaultError, Ways, Written, is_key_server,
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
        })
    }

    /// The same, of which it is known which stick has opened it.
    pub(super) fn opened_by(mut self, stick: Option<StickInfo>) -> Self {
        self.stick = stick;
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

    /// Gives the person whose passphrase this is a new way key, where theirs is older than
    /// the master key.
    pub(super) fn renew_way_of(&mut self, passphrase: &[u8]) -> Result<()> {
        let Some(mut slots) = self.slots()? else {
            return Ok(());
        };
        let (header, key) = (self.vault.header(), &self.key);
        match slots.passphrases.renew(header, key, passphrase) {
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

    /// Puts these ways in of sticks and code in place of those that were read.
    ///
    /// # Errors
    /// When the vault cannot be written, or has others meanwhile.
    pub fn set_ways(&mut self, ways: &Ways) -> Result<()> {
        let written = self.vault.set_ways(&self.key, ways)?;
        self.written(written);
        Ok(())
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
