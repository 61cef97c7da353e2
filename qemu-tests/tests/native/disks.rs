//! Data directories on disks of their own, which may be missing at the wrong
//! moment.

use qemu_tests::{Container, Result, Suite};

use crate::clinic::{fill, has_rows, stayput};
use crate::way_back::cut_while_switching;

const MOUNT: &str = "mount --bind /var/disk /srv";

/// A clinic's server whose data is in /srv/mysql. After a boot nobody has
/// mounted it.
pub fn on_a_disk_of_its_own() -> Result<Container> {
    let server = Container::fresh(Suite::Bookworm)?;
    server.wait_for_database()?;
    server
        .shell(&format!(
            "systemctl stop mariadb && mkdir /var/disk && {MOUNT} && mv /var/lib/mysql /srv/mysql \
             && printf '[mysqld]\ndatadir=/srv/mysql\n' >/etc/mysql/mariadb.conf.d/60-disk.cnf && \
             systemctl start mariadb"
        ))?
        .success()?;
    server.wait_for_database()?;
    fill(&server)?;
    Ok(server)
}

#[test]
fn original_on_a_disk_that_is_not_mounted_is_not_forgotten() -> Result {
    let mut server = on_a_disk_of_its_own()?;
    stayput(&server, "enable")?.success()?;
    has_rows(&server, 5000)?;
    server.shut_down()?;
    // Nobody mounts it.
    server.boot()?;
    server.shell("sleep 3; systemctl start --no-block stayput-mariadb-original; sleep 5")?;
    server.shell(MOUNT)?.success()?;
    let status = server.shell("stayput status")?.text;
    assert!(status.contains("CLEAR COPY"), "{status}");
    server
        .shell("systemctl reset-failed mariadb; systemctl restart mariadb")?
        .success()?;
    has_rows(&server, 5000)?;
    server
        .shell("systemctl restart --no-block stayput-mariadb-original; i=0; while [ -e /srv/stayput/mariadb.original ]; do [ $i -lt 600 ] || exit 1; \
                i=$((i+1)); sleep 0.2; done")?
        .success()?;
    has_rows(&server, 5000)
}

#[test]
fn undo_waits_for_the_disk_of_the_original() -> Result {
    let mut server = on_a_disk_of_its_own()?;
    cut_while_switching(&mut server, "/srv/stayput/mariadb")?;
    server.boot()?;
    for command in ["enable", "enable --undo"] {
        let said = stayput(&server, command)?;
        assert!(!said.ok() && said.text.contains("mounted"), "{said}");
    }
    server
        .shell("ls -lR /srv; ls /srv/stayput && exit 1; true")?
        .success()?;
    server.shell(MOUNT)?.success()?;
    let said = stayput(&server, "enable")?;
    assert!(said.ok(), "{said}");
    has_rows(&server, 5000)
}

#[test]
fn data_directory_may_lie_behind_a_link_in_srv() -> Result {
    let server = Container::fresh(Suite::Bookworm)?;
    server.wait_for_database()?;
    server
        .shell(
            "systemctl stop mariadb; mkdir /srv/deep; ln -s deep /srv/link; \
             mv /var/lib/mysql /srv/deep/mysql; printf '[mysqld]\ndatadir=/srv/link/mysql\n' \
             >/etc/mysql/mariadb.conf.d/60-x.cnf; systemctl restart mariadb",
        )?
        .success()?;
    server.wait_for_database()?;
    fill(&server)?;
    stayput(&server, "enable")?.success()?;
    server.shell("systemctl restart mariadb")?.success()?;
    has_rows(&server, 5000)?;
    stayput(&server, "enable --undo")?.success()?;
    has_rows(&server, 5000)
}
