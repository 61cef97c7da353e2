use super::*;
use proptest::prelude::*;

/// A table of a disk of 2,000,000 sectors with one partition at 1 MiB.
fn table() -> Gpt {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(SIGNATURE);
    header[8..12].copy_from_slice(&0x0001_0000u32.to_le_bytes());
    header[12..16].copy_from_slice(&(HEADER as u32).to_le_bytes());
    header[24..32].copy_from_slice(&1u64.to_le_bytes());
    header[32..40].copy_from_slice(&1_999_999u64.to_le_bytes());
    header[40..48].copy_from_slice(&34u64.to_le_bytes());
    header[48..56].copy_from_slice(&1_999_966u64.to_le_bytes());
    header[72..80].copy_from_slice(&2u64.to_le_bytes());
    header[80..84].copy_from_slice(&128u32.to_le_bytes());
    header[84..88].copy_from_slice(&(ENTRY as u32).to_le_bytes());
    let entries = (0..128).map(|_| Entry([0; ENTRY])).collect();
    let mut gpt = Gpt { header, entries };
    gpt.add("root", Guid([1; 16]), 2048, 1_000_000).unwrap();
    gpt
}

#[test]
fn the_gap_before_the_first_partition_takes_the_vault() {
    let mut gpt = table();
    let sectors = super::super::layout::VAULT_BYTES / 512;
    let first = 40;
    assert_eq!(gpt.gaps(sectors, 8), [first, 1_002_048]);
    let number = gpt.add("stayput", Guid([2; 16]), first, sectors).unwrap();
    assert_eq!(number, 2);
    let again = Gpt::parse(&gpt.primary_header(), &gpt.entries()).unwrap();
    let vault = again.partitions().nth(1).unwrap();
    assert_eq!((vault.first, vault.last), (40, 40 + sectors - 1));
    assert_eq!(vault.guid, Guid([2; 16]));
    // A second one goes behind the root partition.
    assert_eq!(again.gaps(sectors, 8), [1_002_048]);
}

#[test]
fn both_copies_are_whole_and_point_at_each_other() {
    let gpt = table();
    let backup = gpt.backup_header(1_999_967);
    assert!(Gpt::parse(&backup, &gpt.entries()).is_ok());
    assert_eq!(entries_at(&backup).unwrap().sector, 1_999_967);
    assert_eq!((long(&backup, 24), long(&backup, 32)), (1_999_999, 1));
    // What `stayput init` saves of each.
    assert_eq!(gpt.entries().len(), ENTRIES_BYTES);
}

#[test]
fn sectors_in_use_are_not_given_away() {
    let mut gpt = table();
    let result = gpt.add("stayput", Guid([2; 16]), 2000, 1920);
    assert_eq!(result, Err(GptError::Full));
}

#[test]
fn a_gap_is_filled_to_its_last_sector_and_no_further() {
    let mut gpt = table();
    // The root partition takes the sectors 2048 to 1,002,047.
    assert_eq!(gpt.gaps(2048 - 40, 8), [40, 1_002_048]);
    assert_eq!(gpt.gaps(2048 - 40 + 1, 8), [1_002_048]);
    assert_eq!(gpt.gaps(2048 - 34 + 1, 1), [1_002_048]);
    let rest = 1_999_966 - 1_002_047;
    assert_eq!(gpt.gaps(rest, 1), [1_002_048]);
    assert_eq!(gpt.gaps(rest + 1, 1), [0; 0]);
    for (first, sectors) in [(2047, 2), (1_002_047, 1), (3000, 1), (40, 1_500_000)] {
        let result = gpt.add("stayput", Guid([2; 16]), first, sectors);
        assert_eq!(result, Err(GptError::Full), "{first}");
    }
    assert_eq!(gpt.add("stayput", Guid([2; 16]), 2047, 1), Ok(2));
}

#[test]
fn a_partition_that_ends_behind_every_disk_has_no_gap_behind_it() {
    let mut gpt = table();
    gpt.entries[0].0[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(gpt.gaps(1920, 8), [40]);
}

#[test]
fn a_table_of_an_unusual_shape_is_left_alone() {
    let put = |at: usize, value: u32| {
        let mut header = table().primary_header();
        header[at..at + 4].copy_from_slice(&value.to_le_bytes());
        entries_at(&header).err()
    };
    let (header, count, entry) = (12, 80, 84);
    for (at, value) in [(header, 96), (entry, 256), (count, 0), (count, 129)] {
        assert_eq!(put(at, value), Some(GptError::Unsupported), "{at} {value}");
    }
    // Nothing is wrong with fewer entries, but the checksum is another one.
    assert_eq!(put(count, 4), Some(GptError::Damaged));
}

#[test]
fn a_disk_without_a_table_names_its_partitions_by_signature() {
    let mut mbr = [0; 512];
    mbr[440..444].copy_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
    assert_eq!(mbr_partition_id(&mbr, 1), None, "no boot record");
    mbr[510..].copy_from_slice(&[0x55, 0xaa]);
    let id = mbr_partition_id(&mbr, 11);
    assert_eq!(id.as_deref(), Some("1a2b3c4d-0b"));
    mbr[440..444].fill(0);
    assert_eq!(mbr_partition_id(&mbr, 1), None, "no signature");
}

#[test]
fn a_damaged_table_is_refused() {
    let gpt = table();
    let mut entries = gpt.entries();
    entries[20] ^= 1;
    let header = gpt.primary_header();
    assert_eq!(Gpt::parse(&header, &entries).err(), Some(GptError::Damaged));
    let mut bent = header;
    bent[50] ^= 1;
    assert_eq!(
        Gpt::parse(&bent, &gpt.entries()).err(),
        Some(GptError::Damaged)
    );
}

#[test]
fn a_guid_is_written_as_the_kernel_writes_it() {
    let text = format!("{TYPE_RESERVED}");
    assert_eq!(text, "8da63339-0007-60c0-c436-083ac8230908");
}

#[test]
fn a_hybrid_boot_record_is_not_protective() {
    let mut mbr = [0; 512];
    mbr[510..].copy_from_slice(&[0x55, 0xaa]);
    assert!(!is_protective(&mbr));
    mbr[450] = 0xee;
    assert!(is_protective(&mbr));
    for other in [0x83, 0xee] {
        mbr[466] = other;
        assert!(!is_protective(&mbr));
    }
    mbr[466] = 0;
    mbr[511] = 0;
    assert!(!is_protective(&mbr), "no boot record");
}

proptest! {
    #[test]
    fn foreign_sectors_never_panic(
        mut header in proptest::collection::vec(any::<u8>(), 0..512),
        entries in proptest::collection::vec(any::<u8>(), 0..1024),
        sign: bool,
    ) {
        if sign && header.len() >= 8 {
            header[..8].copy_from_slice(SIGNATURE);
        }
        let _ = Gpt::parse(&header, &entries);
        let _ = is_protective(&header);
        let _ = mbr_partition_id(&header, 1);
    }
}
