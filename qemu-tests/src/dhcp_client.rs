//! Stations of a place whose addresses a real dhcpcd looks after, each in a network
//! namespace of its own: it gives its address up when it believes that another
//! station has it. And the DHCP server that leases one to them.

use std::process::{Child, Command, Stdio};

use crate::failure::run;
use crate::place::PREFIX;
use crate::scratch::next_number;
use crate::{Failure, Neighbour, Result};

/// A station on the bridge of a place, with a program that runs on it.
struct Station {
    namespace: String,
    card: String,
    program: Option<Child>,
}

impl Station {
    fn on(place: &str, mac: &str) -> Result<Self> {
        let number = next_number();
        let namespace = format!("{PREFIX}{}-{number}", std::process::id());
        let card = format!("dh{number}");
        run("ip", &["netns", "add", &namespace])?;
        let wire = format!(
            "ip link add p{card} type veth peer name {card} netns {namespace} address {mac} && \
             ip link set p{card} master bridge up"
        );
        run("ip", &["netns", "exec", place, "sh", "-c", &wire])?;
        run("ip", &["-n", &namespace, "link", "set", &card, "up"])?;
        Ok(Self {
            namespace,
            card,
            program: None,
        })
    }

    /// Runs a script until the station goes; its files of leases and processes are
    /// its own.
    fn run(&mut self, script: &str) -> Result {
        let script = format!(
            "mount -t tmpfs none /run && mkdir -p /run/dhcpcd /var/lib/dhcpcd && \
             mount -t tmpfs none /var/lib/dhcpcd && {script}"
        );
        let program = Command::new("ip")
            .args(["netns", "exec", &self.namespace])
            .args(["setpriv", "--pdeathsig", "KILL"])
            .args(["sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Failure::new(format!("{script}: {error}")))?;
        self.program = Some(program);
        Ok(())
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        if let Some(program) = &mut self.program {
            let _ = program.kill();
            let _ = program.wait();
        }
        let _ = run("ip", &["netns", "del", &self.namespace]);
    }
}

/// Leases one address to one station, for two minutes at a time.
pub(crate) struct DhcpServer {
    _station: Station,
}

impl DhcpServer {
    const IP: &str = "192.168.77.8";

    pub fn start(place: &str, leases: &Neighbour) -> Result<Self> {
        let mut station = Station::on(place, "00:26:f2:90:00:08")?;
        let card = station.card.clone();
        let address = format!("{}/24", Self::IP);
        run(
            "ip",
            &[
                "-n",
                &station.namespace,
                "addr",
                "add",
                &address,
                "dev",
                &card,
            ],
        )?;
        let Neighbour { ip, mac } = leases;
        // busybox takes a range as well, which nobody here asks for.
        let config = format!(
            "start 192.168.77.200\\nend 192.168.77.210\\ninterface {card}\\n\
             lease_file /run/leases\\npidfile /run/udhcpd.pid\\n\
             option subnet 255.255.255.0\\noption lease 120\\nstatic_lease {mac} {ip}\\n"
        );
        station.run(&format!(
            "printf '{config}' >/run/udhcpd.conf && : >/run/leases && \
             exec busybox udhcpd -f /run/udhcpd.conf"
        ))?;
        Ok(Self { _station: station })
    }
}

/// A station that dhcpcd looks after.
pub(crate) struct DhcpClient {
    pub ip: String,
    station: Station,
}

impl DhcpClient {
    /// With a fixed address, on the bridge of the place with this namespace.
    pub fn with_fixed_address(place: &str, neighbour: &Neighbour) -> Result<Self> {
        Self::start(
            place,
            neighbour,
            &format!("-S ip_address={}/24", neighbour.ip),
        )
    }

    /// With the address that a [`DhcpServer`] leases to it.
    pub fn with_lease(place: &str, neighbour: &Neighbour) -> Result<Self> {
        Self::start(place, neighbour, "")
    }

    fn start(place: &str, neighbour: &Neighbour, options: &str) -> Result<Self> {
        let Neighbour { ip, mac } = neighbour;
        let mut station = Station::on(place, mac)?;
        let card = station.card.clone();
        station.run(&format!(
            "exec dhcpcd -4 -B -c /bin/true -f /dev/null {options} {card}"
        ))?;
        Ok(Self {
            ip: ip.clone(),
            station,
        })
    }

    pub fn has_its_address(&self) -> Result<bool> {
        let addresses = [
            "-n",
            &self.station.namespace,
            "-4",
            "-o",
            "addr",
            "show",
            &self.station.card,
        ];
        let wanted = format!(" {}/", self.ip);
        Ok(run("ip", &addresses)?.contains(&wanted))
    }
}
