//! A switch's port that carries one VLAN, tagged (802.1Q), and nothing else.
//! Made here, because the host's kernel may have no VLANs of its own.

use std::net::Shutdown;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::{Failure, Result, Scratch, seconds};

/// Both addresses of an Ethernet frame; the tag comes behind them.
const ADDRESSES: usize = 12;
/// What a tag begins with; the VLAN's number is in the two bytes that follow.
const TAGGED: [u8; 2] = [0x81, 0x00];
/// More than a frame of a network card has, with its tag.
const FRAME: usize = 2048;

/// Stands between a machine's network card and a tap of the place.
pub(crate) struct Trunk {
    scratch: Scratch,
    machines: UnixDatagram,
    places: UnixDatagram,
    tap: Child,
}

impl Trunk {
    /// For this tap in a network namespace, which must be there already.
    pub fn to(namespace: &str, tap: &str, vlan: u16) -> Result<Self> {
        let scratch = Scratch::new()?;
        let place = scratch.join("place");
        let machines = UnixDatagram::bind(scratch.join("to-machine"))?;
        let places = UnixDatagram::bind(scratch.join("to-place"))?;
        let tap = Command::new("ip")
            .args(["netns", "exec", namespace])
            .args(["setpriv", "--pdeathsig", "KILL", "socat"])
            .arg(format!("TUN,tun-type=tap,iff-no-pi,tun-name={tap}"))
            .arg(format!(
                "UNIX-SENDTO:{},bind={}",
                scratch.join("to-place").display(),
                place.display()
            ))
            .stdin(Stdio::null())
            .spawn()
            .map_err(|e| Failure::new(format!("no socat: {e} (run images/install-tools)")))?;
        let trunk = Self {
            machines,
            places,
            tap,
            scratch,
        };
        wait_for(&place)?;
        let machine = trunk.machine();
        let untag = move |frame: &[u8]| untagged(frame, vlan);
        let tag = move |frame: &[u8]| tagged(frame, vlan);
        pass_on(&trunk.machines, &trunk.places, place, untag)?;
        pass_on(&trunk.places, &trunk.machines, machine, tag)?;
        Ok(trunk)
    }

    fn machine(&self) -> PathBuf {
        self.scratch.join("machine")
    }

    /// The cable to it, as QEMU wants it said.
    pub fn cable(&self) -> String {
        format!(
            "dgram,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            self.machine().display(),
            self.scratch.join("to-machine").display()
        )
    }
}

impl Drop for Trunk {
    fn drop(&mut self) {
        for socket in [&self.machines, &self.places] {
            let _ = socket.shutdown(Shutdown::Both);
        }
        let _ = self.tap.kill();
        let _ = self.tap.wait();
    }
}

fn wait_for(socket: &std::path::Path) -> Result {
    let deadline = Instant::now() + seconds(10);
    while !socket.exists() {
        if Instant::now() > deadline {
            return Err(Failure::new("socat did not open the tap of the trunk"));
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Ok(())
}

/// Takes each frame from one side to the other, until the socket is shut down.
fn pass_on(
    from: &UnixDatagram,
    by: &UnixDatagram,
    to: PathBuf,
    change: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static,
) -> Result {
    let (from, by) = (from.try_clone()?, by.try_clone()?);
    std::thread::spawn(move || {
        let mut frame = [0; FRAME];
        while let Ok(length) = from.recv(&mut frame) {
            if let Some(frame) = change(&frame[..length]) {
                // A machine that is off takes nothing.
                let _ = by.send_to(&frame, &to);
            }
        }
    });
    Ok(())
}

/// A frame of the place, as the trunk carries it.
fn tagged(frame: &[u8], vlan: u16) -> Option<Vec<u8>> {
    let (addresses, rest) = frame.split_at_checked(ADDRESSES)?;
    Some([addresses, &TAGGED, &vlan.to_be_bytes(), rest].concat())
}

/// A frame of the machine without its tag, where it has this VLAN's.
fn untagged(frame: &[u8], vlan: u16) -> Option<Vec<u8>> {
    let (addresses, rest) = frame.split_at_checked(ADDRESSES)?;
    let rest = rest.strip_prefix(&TAGGED)?;
    let (tag, rest) = rest.split_first_chunk()?;
    // The upper four bits are the priority's.
    let number = u16::from_be_bytes(*tag) & 0x0fff;
    (number == vlan).then(|| [addresses, rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_frames_of_its_vlan_pass_the_trunk() {
        let frame = [&[0xff; ADDRESSES][..], &[0x08, 0x06, 1, 2, 3]].concat();
        let on_trunk = tagged(&frame, 5).unwrap();
        assert_eq!(on_trunk[ADDRESSES..][..4], [0x81, 0x00, 0, 5]);
        assert_eq!(untagged(&on_trunk, 5).unwrap(), frame);
        assert_eq!(untagged(&on_trunk, 6), None);
        assert_eq!(untagged(&frame, 5), None);
        assert_eq!(untagged(&frame[..3], 5), None);
    }
}
