//! What a machine's processor changes about the machine.

use crate::accelerator;

/// As Debian calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    Amd64,
    /// A board without a firmware that tells of serial numbers.
    Arm64,
}

impl Architecture {
    /// QEMU's program.
    pub(crate) fn qemu(self) -> &'static str {
        match self {
            Self::Amd64 => "qemu-system-x86_64",
            Self::Arm64 => "qemu-system-aarch64",
        }
    }

    /// QEMU's word for the board.
    pub(crate) fn board(self) -> &'static str {
        match self {
            Self::Amd64 => "q35,vmport=off",
            Self::Arm64 => "virt",
        }
    }

    /// QEMU's word for the processor. Emulation is slow where a real one is quick: in
    /// copying byte by byte with one instruction, in the widest registers, and in signing
    /// pointers.
    pub(crate) fn processor(self) -> &'static str {
        match self {
            Self::Amd64 => "max,la57=off,erms=off,fsrm=off,avx=off,avx2=off",
            Self::Arm64 => "cortex-a57",
        }
    }

    /// The argument for QEMU's `-accel`.
    pub(crate) fn accelerator(self) -> &'static str {
        match self {
            Self::Amd64 => accelerator(),
            Self::Arm64 => "tcg,thread=multi",
        }
    }

    /// Linux' name of the serial port that is the console.
    pub(crate) fn console(self) -> &'static str {
        match self {
            Self::Amd64 => "ttyS0",
            Self::Arm64 => "ttyAMA0",
        }
    }

    /// How many times as long everything may take. Arm64 is always emulated.
    pub(crate) fn patience(self) -> u32 {
        match self {
            Self::Amd64 => 1,
            Self::Arm64 => 5,
        }
    }

    /// What the scripts that build programs are told.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Amd64 => &[],
            Self::Arm64 => &["--arch", "arm64"],
        }
    }

    /// The folder of the shipped programs, below target.
    pub(crate) fn programs(self) -> &'static str {
        match self {
            Self::Amd64 => "static",
            Self::Arm64 => "static-arm64",
        }
    }
}
