//! The child that does something to a device: for as long as that does not answer, the
//! kernel holds whoever asks it.

use std::ffi::CString;
use std::process::ExitCode;

use super::device::Device;
use super::folders::Folders;
use crate::sys::{child, kmsg};

/// What is done to a device.
#[derive(Clone, Copy)]
pub enum Act {
    Admit,
    ShutOff,
}

impl Act {
    /// The word on the command line of the child that does it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Admit => "usb-admit",
            Self::ShutOff => "usb-shut-off",
        }
    }
}

/// What is done to a device is done by a child that nobody waits for.
pub fn in_a_child(_: &Folders, act: Act, device: &Device) {
    let words = ["stayput", act.word(), &device.name, &device.number];
    let words = words.map(|word| CString::new(word).unwrap_or_default());
    let words = words.each_ref().map(CString::as_c_str);
    if let Err(errno) = child::start_beside(child::THIS_PROGRAM, &words) {
        log::warn!("USB {}: no child can be started: {errno}", device.name);
    }
}

/// Does what the program's words ask for, where it was started as such a child; else `None`.
pub fn run_as_child() -> Option<ExitCode> {
    let mut words = std::env::args().skip(1);
    let word = words.next()?;
    let act = [Act::Admit, Act::ShutOff]
        .into_iter()
        .find(|act| act.word() == word)?;
    kmsg::use_for_logging();
    let line = words.collect::<Vec<_>>().join(" ");
    if let Some(device) = Device::of_line(&line) {
        Folders::of_the_system().perform(act, &device);
    }
    Some(ExitCode::SUCCESS)
}
