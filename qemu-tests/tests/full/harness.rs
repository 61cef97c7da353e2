//! The ground that the other scenarios stand on: Debian starts, its network
//! is the place's, and what it wrote before a power cut is on its disk.

use qemu_tests::{DebianMachine, Place, Result, search};

#[test]
fn debian_starts_with_mariadb_and_what_it_wrote_is_on_the_raw_disk() -> Result {
    let home = Place::home()?;
    let mut server = DebianMachine::fresh()?;
    server.boot_at(&home)?;
    server
        .shell("until systemctl is-active mariadb; do sleep 0.5; done")?
        .success()?;
    let neighbours = server
        .shell("ping -c 1 192.168.77.1 && ip neigh")?
        .success()?;
    assert!(neighbours.contains("00:0d:b9:41:7a:01"), "{neighbours}");
    server.sql(
        "CREATE DATABASE clinic; CREATE TABLE clinic.patient (name TEXT); \
         INSERT INTO clinic.patient VALUES ('Halima Okello 7731')",
    )?;
    server.power_cut();
    // Nothing is encrypted here: the search must find it, or it proves
    // nothing where it must not.
    let needles = [
        b"Halima Okello 7731".to_vec(),
        b"nobody of this name".to_vec(),
    ];
    assert_eq!(search::found_in(server.disk(), &needles)?, [0]);
    Ok(())
}
