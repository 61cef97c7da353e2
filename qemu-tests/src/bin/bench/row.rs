//! All that was measured of one of those compared.

use crate::images::Images;
use crate::measuring::{Boot, Memory};
use crate::subjects::What;
use qemu_tests::{Generator, Result, Spread, Timed};

/// scrypt's own at every boot with neighbours, in kB: N = 2^15, r = 8.
pub const SCRYPT_KB: u64 = 32 * 1024;

#[derive(Clone, Debug)]
pub struct Row {
    pub generator: Generator,
    pub what: What,
    /// Bytes of the initramfs, compressed.
    pub size: u64,
    /// Files that the initramfs with nothing lacks.
    pub files: usize,
    pub boots: Vec<Boot>,
    pub memory: Memory,
}

impl Row {
    /// What is known before the first boot.
    pub fn of(what: What, images: &Images) -> Result<Self> {
        Ok(Self {
            generator: images.generator,
            what,
            size: images.size(what.image())?,
            files: images.files_added(what.image())?,
            boots: Vec::new(),
            memory: Memory::default(),
        })
    }

    /// How long the boot waits, in seconds.
    pub fn in_all(&self) -> Spread {
        Spread::of(self.boots.iter().map(|boot| boot.in_all))
    }

    /// To the key, in seconds.
    pub fn time(&self) -> Spread {
        Spread::of(self.boots.iter().map(|boot| boot.to_the_key))
    }

    /// To the key, each boot, as it is plotted.
    pub fn timed(&self) -> Timed {
        Timed {
            what: format!("{}: {}", self.generator.name(), self.what),
            times: self.boots.iter().map(|boot| boot.to_the_key).collect(),
        }
    }

    /// The most that the boot stage held beside scrypt's own memory, in kB.
    /// Nothing where it was not seen at its most.
    pub fn beside_scrypt_kb(&self) -> Option<u64> {
        let scrypt = match self.what {
            What::Neighbours(_) => SCRYPT_KB,
            // A row with a secret in it needs no scrypt.
            What::Tang { .. } => 0,
            _ => return None,
        };
        let beside = self.memory.stage_kb.checked_sub(scrypt)?;
        (self.memory.stage_kb > 0).then_some(beside)
    }

    /// When this unit of dracut's chain was there, in seconds since the start mark.
    pub fn unit(&self, name: &str) -> Option<f64> {
        let times = self.boots.iter().filter_map(|boot| {
            let (_, at) = boot.units.iter().find(|(unit, _)| unit == name)?;
            Some(*at)
        });
        let times: Vec<_> = times.collect();
        (!times.is_empty()).then(|| Spread::of(times).median)
    }

    /// What stayput logged in the boot of the median.
    pub fn own(&self) -> Option<&str> {
        let median = self.time().median;
        let off = |boot: &&Boot| (boot.to_the_key.as_secs_f64() - median).abs();
        self.boots
            .iter()
            .min_by(|a, b| off(a).total_cmp(&off(b)))?
            .own
            .as_deref()
    }
}
