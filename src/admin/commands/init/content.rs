//! Whether a partition may become a vault: only one that is proven to be empty, or
//! that is ours.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::admin::filled::fill;
use crate::admin::problem::{Problem, Result};
use crate::admin::program;
use crate::vault::partitions::{FoundPartition, PARTITION_NAME};
use crate::vault::{Traces, VAULT_BYTES};

/// Types of partitions for whatever an owner likes, as blkid(8) names them: of GPT
/// Linux filesystem, Linux reserved and basic data (UAPI Group's Discoverable
/// Partitions Specification and UEFI 2.10, table 5.8), of MBR Linux and
/// "non-FS data". All others promise something to somebody: firmware, a boot
/// loader, another system.
const PLAIN_TYPES: [&str; 5] = [
    "0fc63daf-8483-4772-8e79-3d69d8477de4",
    "8da63339-0007-60c0-c436-083ac8230908",
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
    "0x83",
    "0xda",
];

/// Bytes of a partition that are searched for anything but zeroes.
const SEARCHED: u64 = 1 << 30;

/// What is known of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    /// A filesystem, a RAID's member or another mark, as blkid names it.
    mark: Option<String>,
    /// blkid found several that do not go together.
    has_several_marks: bool,
    /// Its type in the partition table; empty where blkid does not tell.
    type_id: String,
    /// Its name is the one of a vault.
    has_vaults_name: bool,
    data: Data,
}

/// What its blocks hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Data {
    Zeroes,
    /// A vault, whole or begun, or parts of one.
    Vault,
    #[default]
    Foreign,
    /// Fewer bytes than a vault has.
    Small,
    /// Zeroes, and more than [`SEARCHED`].
    Large,
}

/// # Errors
/// What is in it, or that it cannot be told.
pub fn must_be_free(partition: &FoundPartition) -> Result<()> {
    let device = &partition.device;
    let mut known = marks_of(device)?;
    known.has_vaults_name |= partition.has_vaults_name();
    known.data = data_of(device).map_err(|error| {
        Problem::failed(
            format!("{} cannot be read: {error}.", device.display()),
            "Nothing was changed. Check the disk, or name another partition.",
        )
    })?;
    let Some(why) = why_not(&known) else {
        return Ok(());
    };
    let next = match why {
        WhyNot::Data(_) => format!(
            "Nothing was changed. If nobody needs what is in it, name the partition \
             \"{PARTITION_NAME}\": sgdisk --change-name=NUMBER:{PARTITION_NAME} /dev/{}",
            partition.disk.as_str()
        ),
        WhyNot::Promised(_) => "Nothing was changed. Name an empty partition, or leave out \
                                --vault: a new one is made where there is room."
            .into(),
    };
    Err(Problem::refused(
        format!("{} is not free: {}.", device.display(), why.words()),
        next,
    ))
}

/// Why a partition does not become a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
enum WhyNot {
    /// It is somebody else's, or no place for a vault.
    Promised(String),
    /// Its owner may know that nobody needs its content.
    Data(&'static str),
}

impl WhyNot {
    fn words(&self) -> &str {
        match self {
            Self::Promised(words) => words,
            Self::Data(words) => words,
        }
    }
}

fn why_not(known: &Known) -> Option<WhyNot> {
    let promised = |words: String| Some(WhyNot::Promised(words));
    if let Some(mark) = &known.mark {
        return promised(format!("it holds {mark}"));
    }
    if known.has_several_marks {
        return promised("it holds marks of several formats".into());
    }
    if known.data == Data::Small {
        return promised("it is smaller than a vault, which takes 960 KiB".into());
    }
    // It is ours. Whose vault it is, is asked later.
    if known.data == Data::Vault {
        return None;
    }
    // A name is quickly given to a wrong partition.
    let is_empty_and_ours = known.has_vaults_name && known.data == Data::Zeroes;
    if !PLAIN_TYPES.contains(&known.type_id.as_str()) && !is_empty_and_ours {
        return promised(purpose(&known.type_id));
    }
    match known.data {
        _ if known.has_vaults_name => None,
        Data::Zeroes | Data::Vault | Data::Small => None,
        Data::Foreign => Some(WhyNot::Data("it holds data of an unknown kind")),
        Data::Large => Some(WhyNot::Data(
            "it is larger than 1 GiB, too much to prove it empty",
        )),
    }
}

/// What a partition of this type is for.
fn purpose(type_id: &str) -> String {
    let known = match type_id {
        "" => return "what it is for cannot be told".into(),
        "21686148-6449-6e6f-744e-656564454649" => "the boot loader (BIOS boot)",
        "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" | "0xef" => "the firmware (EFI system)",
        "9e1a2d38-c612-4316-aa26-8b49521e5a8b" | "0x41" => "the boot loader (PReP)",
        "bc13c2ff-59e6-4262-a352-b275fd6f7172" => "kernels (/boot)",
        "e3c9e316-0b5c-4db8-817d-f92df00215ae" => "Windows",
        "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f" | "0x82" => "swap",
        "e6d6d379-f507-44c2-a23c-238f2a3df928" | "0x8e" => "LVM",
        "a19d880f-05fc-4d3b-a006-743f0f84911e" | "0xfd" => "a RAID",
        id => return format!("it is meant for something else (its type is {id})"),
    };
    format!("it is meant for {known}")
}

/// What blkid(8) says of a device, without its cache.
fn marks_of(device: &Path) -> Result<Known> {
    let failed = |why: String| {
        Problem::failed(
            format!(
                "What is in {} cannot be told: blkid: {why}.",
                device.display()
            ),
            "Nothing was changed. The package util-linux brings blkid.",
        )
    };
    let program = program::find("blkid").ok_or_else(|| failed("not installed".into()))?;
    let mut ask = Command::new(program);
    ask.args(["--probe", "--output", "export"]).arg(device);
    let said = ask.stdin(Stdio::null()).output();
    let said = said.map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&said.stdout);
    match said.status.code() {
        // 2: nothing was found.
        Some(0 | 2) => Ok(known_from(&text)),
        Some(8) => Ok(Known {
            has_several_marks: true,
            ..Known::default()
        }),
        _ => Err(failed(said.status.to_string())),
    }
}

/// Of lines NAME=VALUE. What begins with `PART_ENTRY_` is about the entry in the
/// table, everything else about the content.
fn known_from(text: &str) -> Known {
    let mut known = Known::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        match name {
            "PART_ENTRY_TYPE" => known.type_id = value.to_ascii_lowercase(),
            "PART_ENTRY_NAME" => known.has_vaults_name = value == PARTITION_NAME,
            "PTTYPE" => known.mark = Some(format!("a partition table ({value})")),
            "TYPE" => known.mark = Some(value.to_owned()),
            "USAGE" if known.mark.is_none() => known.mark = Some(value.to_owned()),
            _ => {}
        }
    }
    known
}

fn data_of(device: &Path) -> io::Result<Data> {
    data_in(&mut File::open(device)?)
}

fn data_in(from: &mut impl Read) -> io::Result<Data> {
    let mut start = Vec::new();
    from.take(VAULT_BYTES).read_to_end(&mut start)?;
    if (start.len() as u64) < VAULT_BYTES {
        return Ok(Data::Small);
    }
    match Traces::of(&start) {
        Traces::Vault | Traces::Begun => return Ok(Data::Vault),
        Traces::Foreign => return Ok(Data::Foreign),
        Traces::Empty => {}
    }
    let mut searched = VAULT_BYTES;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = fill(from, &mut buffer)?;
        if read == 0 {
            return Ok(Data::Zeroes);
        }
        if buffer[..read].iter().any(|byte| *byte != 0) {
            return Ok(Data::Foreign);
        }
        searched += read as u64;
        if searched > SEARCHED {
            return Ok(Data::Large);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";

    fn known(type_id: &str, data: Data) -> Known {
        Known {
            type_id: type_id.into(),
            data,
            ..Known::default()
        }
    }

    #[test]
    fn a_boot_loaders_partition_is_refused_also_when_it_is_empty() {
        for data in [Data::Zeroes, Data::Foreign] {
            assert!(why_not(&known(BIOS_BOOT, data)).is_some());
            assert!(why_not(&known("", data)).is_some(), "nobody told its type");
        }
    }

    #[test]
    fn only_an_empty_partition_of_a_plain_type_is_taken() {
        for plain in PLAIN_TYPES {
            assert_eq!(why_not(&known(plain, Data::Zeroes)), None);
            assert!(why_not(&known(plain, Data::Foreign)).is_some());
            assert!(why_not(&known(plain, Data::Large)).is_some());
        }
    }

    #[test]
    fn a_partition_of_ours_is_taken_unless_it_has_a_mark() {
        let ours = Known {
            has_vaults_name: true,
            ..known(PLAIN_TYPES[0], Data::Foreign)
        };
        assert_eq!(why_not(&ours), None);
        assert_eq!(why_not(&known(BIOS_BOOT, Data::Vault)), None);
        for mark in ["ext4", "crypto_LUKS", "linux_raid_member"] {
            let mark = Some(mark.to_owned());
            assert!(
                why_not(&Known {
                    mark,
                    ..ours.clone()
                })
                .is_some()
            );
        }
        let several = Known {
            has_several_marks: true,
            ..ours.clone()
        };
        assert!(why_not(&several).is_some());
        let small = Known {
            data: Data::Small,
            ..ours
        };
        assert!(why_not(&small).is_some());
    }

    #[test]
    fn a_boot_loaders_partition_is_refused_by_any_name() {
        let named = |data| Known {
            has_vaults_name: true,
            ..known(BIOS_BOOT, data)
        };
        let refused = why_not(&named(Data::Foreign));
        // Nobody is told to give it a name.
        assert!(matches!(refused, Some(WhyNot::Promised(_))), "{refused:?}");
        assert_eq!(why_not(&named(Data::Zeroes)), None);
        let plain = why_not(&known(PLAIN_TYPES[0], Data::Foreign));
        assert!(matches!(plain, Some(WhyNot::Data(_))), "{plain:?}");
    }

    #[test]
    fn what_blkid_says_is_told_from_what_the_table_says() {
        let text = "DEVNAME=/dev/sda3\nPART_ENTRY_SCHEME=gpt\nPART_ENTRY_NAME=stayput\n\
                    PART_ENTRY_TYPE=8DA63339-0007-60C0-C436-083AC8230908\n";
        let expected = Known {
            type_id: PLAIN_TYPES[1].into(),
            has_vaults_name: true,
            ..Known::default()
        };
        assert_eq!(known_from(text), expected);
        for (line, mark) in [
            ("TYPE=swap\nUSAGE=other", "swap"),
            ("USAGE=raid", "raid"),
            ("PTTYPE=dos", "a partition table (dos)"),
        ] {
            let known = known_from(&format!("{text}{line}\n"));
            assert_eq!(known.mark.as_deref(), Some(mark), "{line}");
        }
    }

    #[test]
    fn a_single_byte_far_behind_is_found() {
        let data = |bytes: &[u8]| data_in(&mut { bytes }).unwrap();
        let mut bytes = vec![0; 3 << 20];
        assert_eq!(data(&bytes), Data::Zeroes);
        bytes[(3 << 20) - 1] = 1;
        assert_eq!(data(&bytes), Data::Foreign);
        assert_eq!(data(&[0; 512]), Data::Small);
    }
}
