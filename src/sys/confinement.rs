//! Programs that read what a stranger may have written: they see the files of the machine, can
//! change none but those in one directory, and reach no network.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::ptr;

/// linux/mount.h, `MOUNT_ATTR_*`.
const READ_ONLY: u64 = 0x01;
const NOTHING_RUNS: u64 = 0x02 | 0x04 | 0x08;
/// `AT_RECURSIVE`, linux/fcntl.h.
const RECURSIVE: libc::c_int = 0x8000;

/// Lets the program that `command` starts change files in `room` alone; without a room, none.
/// Nothing in the room is executed. The program is to give up root's rights itself, as
/// setpriv(1) does: with them it could mount again. Linux 5.12 and later; where the kernel
/// refuses, the program is not started.
///
/// # Errors
/// InvalidInput for a path that holds a zero byte.
pub fn confine(command: &mut Command, room: Option<&Path>) -> io::Result<()> {
    let room = match room {
        Some(room) => Some(CString::new(room.as_os_str().as_bytes())?),
        None => None,
    };
    let enter = move || enter(room.as_deref());
    // SAFETY: between fork(2) and exec(2) it makes system calls alone, with strings that were
    // made before: it neither allocates nor takes a lock.
    unsafe { command.pre_exec(enter) };
    Ok(())
}

fn enter(room: Option<&CStr>) -> io::Result<()> {
    const ALONE: libc::c_int = libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWIPC;
    // SAFETY: unshare takes plain numbers.
    done(unsafe { libc::unshare(ALONE) }.into())?;
    mount(c"/", c"/", libc::MS_PRIVATE | libc::MS_REC)?;
    if let Some(room) = room {
        mount(room, room, libc::MS_BIND)?;
    }
    set_attributes(c"/", RECURSIVE, READ_ONLY, 0)?;
    if let Some(room) = room {
        set_attributes(room, 0, NOTHING_RUNS, READ_ONLY)?;
    }
    // SAFETY: prctl with plain numbers.
    done(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())
}

fn mount(source: &CStr, target: &CStr, flags: libc::c_ulong) -> io::Result<()> {
    let none = ptr::null();
    // SAFETY: both strings live until the call returns; a bind mount and a change of the
    // propagation have neither type nor data (mount(2)).
    let result = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), none, flags, none.cast()) };
    done(result.into())
}

fn set_attributes(path: &CStr, flags: libc::c_int, set: u64, clear: u64) -> io::Result<()> {
    /// linux/mount.h, `struct mount_attr`.
    #[repr(C)]
    struct Attributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    let attributes = Attributes {
        set,
        clear,
        propagation: 0,
        user_namespace: 0,
    };
    // SAFETY: mount_setattr reads a string and as many bytes of the attributes as is said,
    // which live until it returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    done(result)
}

fn done(result: libc::c_long) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// What a signed stream with such names in it would have a program do.
    const WRITES: &str = "cd \"$1\" && echo rows >inside; echo root >../outside; \
                          echo root >\"$2\"/outside; chmod 777 \"$2\"; rm \"$2\"/there; \
                          mkdir \"$2\"/directory; ln -s / \"$2\"/link; :";

    #[test]
    fn names_that_lead_out_of_the_room_write_nothing() {
        let home = tempfile::tempdir().unwrap();
        let [room, other] = ["room", "other"].map(|name| home.path().join(name));
        fs::create_dir(&room).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("there"), "rows").unwrap();
        let writes = |room_of_it: Option<&Path>| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", WRITES, "sh"]).arg(&room).arg(&other);
            confine(&mut command, room_of_it).unwrap();
            command.output().unwrap()
        };
        let said = writes(Some(&room));
        assert!(said.status.success(), "{said:?}");
        assert_eq!(fs::read_to_string(room.join("inside")).unwrap(), "rows\n");
        fs::remove_file(room.join("inside")).unwrap();
        writes(None);
        assert!(!room.join("inside").exists());
        assert!(!home.path().join("outside").exists());
        let left = fs::read_dir(&other).unwrap().count();
        assert_eq!(left, 1, "what was there, and nothing else");
    }

    #[test]
    fn what_lies_in_the_room_is_not_run_and_no_network_is_there() {
        let room = tempfile::tempdir().unwrap();
        fs::copy("/bin/true", room.path().join("program")).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "\"$1\"/program || wc -l </proc/net/dev", "sh"]);
        command.arg(room.path());
        confine(&mut command, Some(room.path())).unwrap();
        let said = command.output().unwrap();
        // Two lines of heads, and the loopback.
        let lines = String::from_utf8_lossy(&said.stdout);
        assert_eq!(lines.trim(), "3", "{said:?}");
    }
}
