//! A station of a place whose address a real dhcpcd looks after, in a network
//! namespace of its own: it gives the address up when it believes that another
//! station has it.

use std::process::{Child, Command, Stdio};

use crate::failure::run;
use crate::place::PREFIX;
use crate::scratch::next_number;
use crate::{Failure, Neighbour, Result};

pub(crate) struct DhcpClient {
    pub ip: String,
    namespace: String,
    card: String,
    dhcpcd: Child,
}

impl DhcpClient {
    /// On the bridge of the place with this namespace.
    pub fn start(place: &str, neighbour: &Neighbour) -> Result<Self> {
        let number = next_number();
        let namespace = format!("{PREFIX}{}-{number}", std::process::id());
        let card = format!("dh{number}");
        let Neighbour { ip, mac } = neighbour;
        run("ip", &["netns", "add", &namespace])?;
        let wire = format!(
            "ip link add p{card} type veth peer name {card} netns {namespace} address {mac} && \
             ip link set p{card} master bridge up"
        );
        run("ip", &["netns", "exec", place, "sh", "-c", &wire])?;
        run("ip", &["-n", &namespace, "link", "set", &card, "up"])?;
        // Its files of leases and processes are its own.
        let dhcpcd = format!(
            "mount -t tmpfs none /run && mkdir -p /run/dhcpcd /var/lib/dhcpcd && \
             mount -t tmpfs none /var/lib/dhcpcd && \
             exec dhcpcd -4 -B -c /bin/true -f /dev/null -S ip_address={ip}/24 {card}"
        );
        let dhcpcd = Command::new("ip")
            .args([
                "netns",
                "exec",
                &namespace,
                "setpriv",
                "--pdeathsig",
                "KILL",
            ])
            .args(["sh", "-c", &dhcpcd])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Failure::new(format!("no dhcpcd: {error}")))?;
        Ok(Self {
            ip: ip.clone(),
            namespace,
            card,
            dhcpcd,
        })
    }

    pub fn has_its_address(&self) -> Result<bool> {
        let addresses = [
            "-n",
            &self.namespace,
            "-4",
            "-o",
            "addr",
            "show",
            &self.card,
        ];
        let wanted = format!(" {}/", self.ip);
        Ok(run("ip", &addresses)?.contains(&wanted))
    }
}

impl Drop for DhcpClient {
    fn drop(&mut self) {
        let _ = self.dhcpcd.kill();
        let _ = self.dhcpcd.wait();
        let _ = run("ip", &["netns", "del", &self.namespace]);
    }
}
