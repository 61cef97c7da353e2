//! The journal: the records of the next generation, whole, before the header names it.
//!
//! Policy, list of sticks, ways in and the log's seal are proven by the master key, so
//! all of them change with it, at once. They are written here first; the header that
//! names the next generation says so; then they are copied to their places. Whoever
//! opens the vault after a power cut goes on with that: no key is needed for it.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::layout::{BLOCK_SIZE, HALF, JOURNAL, LOG_NEWEST, POLICY, Region, STICKS, WAYS};
use super::store::Stamp;
use super::{BlockDevice, Vault, VaultError, Written, record, store};

/// The records that change with the generation. The theft state is not among them: it
/// may have been written meanwhile, and one of the generation before is believed.
const REGIONS: [Region; 4] = [POLICY, STICKS, WAYS, LOG_NEWEST];

/// One record of the next generation.
#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    /// Kind of the record.
    kind: u8,
    /// What stood in its place when this was made. Where something else stands there,
    /// somebody has written it since, with the key of now: it is left as it is.
    before: Option<Stamp>,
    payload: &'a [u8],
}

/// What is written to the journal.
pub struct Journal(Zeroizing<Vec<u8>>);

impl Journal {
    /// Of these payloads, each for its region, on this device as it is now.
    pub fn of(device: &dyn BlockDevice, records: &[(Region, Vec<u8>)]) -> Self {
        let entries: Vec<Entry> = records
            .iter()
            .map(|(region, payload)| Entry {
                kind: region.kind,
                before: store::stamp(device, *region),
                payload,
            })
            .collect();
        let mut bytes = Zeroizing::new(vec![0; record::capacity(JOURNAL)]);
        // What is behind it stays zero, so that nothing of an earlier one is left.
        postcard::to_slice(&entries, &mut bytes).expect("the largest records fit the journal");
        Self(bytes)
    }

    /// Writes it in both copies and reads it back: without it the header must not name
    /// the next generation.
    ///
    /// # Errors
    /// [`VaultError::Device`], also where it is not read back as it was written.
    pub fn write(&self, device: &mut dyn BlockDevice) -> Result<Written, VaultError> {
        let written = store::write(device, JOURNAL, &self.0)?;
        let found = store::read(device, JOURNAL)?;
        match found.is_some_and(|found| *found == *self.0) {
            true => Ok(written),
            false => Err(VaultError::Device(libc::EIO)),
        }
    }
}

impl<D: BlockDevice> Vault<D> {
    /// Puts the journal's records in their places, overwrites the journal, and says in the
    /// header then that it is done. Done again it does the same.
    ///
    /// # Errors
    /// [`VaultError::Device`] when the disk does not take one of them: then all of it is
    /// done again the next time.
    pub(super) fn apply_journal(&mut self) -> Result<Written, VaultError> {
        let mut written = Written::Twice;
        // One that is lost leaves the records as they are: the owner mends them.
        if let Some(payload) = store::read(&self.device, JOURNAL)? {
            let entries: Vec<Entry> =
                postcard::from_bytes(&payload).map_err(|_| VaultError::Damaged)?;
            for entry in entries {
                written = written.and(self.apply(&entry)?);
            }
        }
        // Before the header, so that a power cut leaves none behind for good: one that is not
        // whole any more leaves the records as they are.
        written = written.and(self.erase_journal());
        let mut header = self.header.clone();
        header.journal_to_apply = false;
        Ok(written.and(self.write_header(header)?))
    }

    /// What this record holds, by the journal where that is still to be applied: a disk that
    /// takes no more writes opens all the same. `None` where neither is whole.
    ///
    /// # Errors
    /// As [`store::read`].
    pub(super) fn read_current(
        &self,
        region: Region,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        match self.in_journal(region) {
            Some(payload) => Ok(Some(payload)),
            None => store::read(&self.device, region),
        }
    }

    fn in_journal(&self, region: Region) -> Option<Zeroizing<Vec<u8>>> {
        if !self.header.journal_to_apply {
            return None;
        }
        let payload = store::read(&self.device, JOURNAL).ok()??;
        let entries: Vec<Entry> = postcard::from_bytes(&payload).ok()?;
        let entry = entries.iter().find(|entry| entry.kind == region.kind)?;
        let is_next = self.is_to_be_replaced(region, entry);
        is_next.then(|| Zeroizing::new(entry.payload.to_vec()))
    }

    /// Whether nobody has written the record since the journal was.
    fn is_to_be_replaced(&self, region: Region, entry: &Entry<'_>) -> bool {
        let there = store::stamp(&self.device, region);
        there.is_none() || there == entry.before
    }

    fn apply(&mut self, entry: &Entry<'_>) -> Result<Written, VaultError> {
        let region = REGIONS.into_iter().find(|region| region.kind == entry.kind);
        let Some(region) = region else {
            return Ok(Written::Twice);
        };
        match self.is_to_be_replaced(region, entry) {
            true => store::write(&mut self.device, region, entry.payload),
            false => Ok(Written::Twice),
        }
    }

    /// It has way keys, sealed under the master key that is the one of now and will be
    /// an earlier one.
    fn erase_journal(&mut self) -> Written {
        let zeroes = [0; BLOCK_SIZE];
        let copies = [JOURNAL.start, JOURNAL.start + HALF];
        let blocks = copies
            .into_iter()
            .flat_map(|start| start..start + JOURNAL.blocks);
        let mut all = blocks.map(|block| self.device.write_block(block, &zeroes));
        let written = all.all(|written| written.is_ok());
        match written && self.device.flush().is_ok() {
            true => Written::Twice,
            false => Written::Once,
        }
    }
}
