//! Tells the kernel of new partitions on a disk.

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

/// `BLKPG`, linux/blkpg.h: _IO(0x12, 105).
const BLKPG: libc::c_ulong = 0x1269;
/// `BLKPG_ADD_PARTITION`.
const ADD_PARTITION: i32 = 1;

/// `BLKRRPART`, linux/fs.h: _IO(0x12, 95).
const BLKRRPART: libc::c_ulong = 0x125f;

/// struct blkpg_partition.
#[repr(C)]
struct BlkpgPartition {
    start: i64,
    length: i64,
    number: i32,
    device_name: [u8; 64],
    volume_name: [u8; 64],
}

/// struct blkpg_ioctl_arg.
#[repr(C)]
struct BlkpgArgument {
    operation: i32,
    flags: i32,
    length: i32,
    data: *mut BlkpgPartition,
}

/// Adds partition `number`; start and length are in bytes.
///
/// # Errors
/// What ioctl(2) says: EBUSY when it overlaps another one.
pub fn add(disk: &File, number: u32, start: u64, length: u64) -> Result<(), Errno> {
    let mut partition = BlkpgPartition {
        start: i64::try_from(start).map_err(|_| Errno::EINVAL)?,
        length: i64::try_from(length).map_err(|_| Errno::EINVAL)?,
        number: i32::try_from(number).map_err(|_| Errno::EINVAL)?,
        device_name: [0; 64],
        volume_name: [0; 64],
    };
    let mut argument = BlkpgArgument {
        operation: ADD_PARTITION,
        flags: 0,
        length: size_of::<BlkpgPartition>() as i32,
        data: &raw mut partition,
    };
    // SAFETY: BLKPG takes a blkpg_ioctl_arg that points to a blkpg_partition;
    // both live until the call returns.
    let result = unsafe { libc::ioctl(disk.as_raw_fd(), BLKPG as _, &raw mut argument) };
    Errno::result(result).map(drop)
}

/// Makes the kernel read a disk's partition table anew.
///
/// # Errors
/// What ioctl(2) says: EBUSY while somebody uses one of its partitions.
pub fn read_again(disk: &File) -> Result<(), Errno> {
    // SAFETY: BLKRRPART takes no argument and touches no memory of ours; the
    // descriptor is open for the whole call.
    let result = unsafe { libc::ioctl(disk.as_raw_fd(), BLKRRPART as _) };
    Errno::result(result).map(drop)
}
