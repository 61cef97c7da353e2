//! What switches say of themselves over LLDP, where lldpd listens to them.

use core::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::admin::program;

/// What the switches say of themselves.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LldpSenders {
    /// Where they are managed.
    pub addresses: Vec<IpAddr>,
    /// Their hardware addresses, in lower case.
    pub macs: Vec<String>,
}

/// What lldpd has heard; empty where it does not run. The kernel keeps nothing of it.
pub fn lldp_report() -> String {
    let socket = Path::new("/run/lldpd.socket");
    let Some(program) = program::find("lldpcli").filter(|_| socket.exists()) else {
        return String::new();
    };
    neighbours_told_by(&program, "5")
}

/// What `lldpcli` prints within `limit` (timeout(1)): it waits for lldpd, which may hang.
fn neighbours_told_by(lldpcli: &Path, limit: &str) -> String {
    let mut command = Command::new("/usr/bin/timeout");
    command.args(["--kill-after=1", limit]).arg(lldpcli);
    command.args(["-f", "keyvalue", "show", "neighbors"]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

/// Reads lines such as `lldp.eth0.chassis.mgmt-ip=192.168.1.2` (lldpcli(8)).
pub fn lldp_senders(report: &str) -> LldpSenders {
    let mut senders = LldpSenders::default();
    for (name, value) in report.lines().filter_map(|line| line.split_once('=')) {
        if name.ends_with(".chassis.mgmt-ip") {
            senders.addresses.extend(value.parse::<IpAddr>().ok());
        } else if name.ends_with(".chassis.mac") {
            senders.macs.push(value.to_ascii_lowercase());
        }
    }
    senders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_lldpd_that_hangs_is_not_waited_for() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let lldpcli = directory.path().join("lldpcli");
        std::fs::write(&lldpcli, "#!/bin/sh\necho lldp.eth0.via=LLDP\nsleep 20\n").unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&lldpcli, mode).unwrap();
        let begun = std::time::Instant::now();
        let told = neighbours_told_by(&lldpcli, "0.2");
        assert_eq!(told, "lldp.eth0.via=LLDP\n");
        assert!(begun.elapsed().as_secs() < 10);
    }
}
