//! USB devices that may be used while the prompt is open, on a system that is hardened
//! against them too (Documentation/usb/authorization.rst of the kernel). What a bus does
//! with new devices stays as it is: each device that is shut off is admitted by itself, so
//! that it is known which ones the stage has admitted, and which ones somebody else has.

mod child;
mod device;
mod folders;

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

use child::Act;
use device::Device;
use folders::Folders;

pub use child::run_as_child;

/// How long a device waits for udev, whose rules may admit it themselves.
const UDEV_WITHIN: Duration = Duration::from_secs(2);

/// How often a device that waits is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Shuts off what a stage has admitted that was killed.
pub fn take_back() {
    Folders::of_the_system().take_back();
}

/// USB devices may be used as long as it lives. Dropping it shuts those off that it has
/// admitted; those that a rule of the owner's has admitted meanwhile stay.
pub struct Admission {
    folders: Folders,
    /// Those that udev has not looked at yet, and since when they are known.
    waiting: Vec<(Device, Instant)>,
    /// Those that are being admitted and are not yet.
    begun: Vec<Device>,
    looked: Instant,
}

impl Admission {
    /// For the devices that are plugged in, and those that will be.
    pub fn of_all_devices() -> Self {
        Self::within(Folders::of_the_system(), Instant::now())
    }

    fn within(folders: Folders, now: Instant) -> Self {
        let mut admission = Self {
            folders,
            waiting: Vec::new(),
            begun: Vec::new(),
            looked: now,
        };
        admission.look(now);
        admission
    }

    /// When [`Admission::look`] is due even if nothing was plugged in.
    pub fn next(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.looked + LOOK_AGAIN)
    }

    /// Admits what is shut off, once udev has had its turn.
    pub fn look(&mut self, now: Instant) {
        self.looked = now;
        let waited = std::mem::take(&mut self.waiting);
        let shut_off = self.folders.that_say("0");
        self.begun.retain(|device| shut_off.contains(device));
        for device in shut_off {
            if self.begun.contains(&device) {
                continue;
            }
            let known = waited.iter().find(|(known, _)| *known == device);
            let since = known.map_or(now, |(_, since)| *since);
            let has_waited = now.saturating_duration_since(since) >= UDEV_WITHIN;
            if has_waited || self.folders.udev_has_looked_at(&device) {
                self.admit(&device);
                self.begun.push(device);
            } else {
                self.waiting.push((device, since));
            }
        }
    }

    /// It is on record before it is admitted: whoever kills the stage leaves none behind.
    fn admit(&self, device: &Device) {
        let mut options = OpenOptions::new();
        let record = options.append(true).create(true).open(&self.folders.record);
        // In one piece: half a line would spoil the next one too.
        match record.and_then(|mut file| file.write_all(device.line().as_bytes())) {
            Ok(()) => (self.folders.begin)(&self.folders, Act::Admit, device),
            Err(error) => log::warn!("USB {} is not admitted: {error}", device.name),
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.folders.take_back();
    }
}

#[cfg(test)]
mod tests;
