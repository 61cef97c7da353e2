//! A stick with backups gets one by itself. What udev and the timer start is run by hand
//! here: no udev runs in a container. `tests/full` has them.

use qemu_tests::{Container, Result, Scratch, run};

use crate::backup::{guarded, stayput};
use crate::readme::plug;

const LOOK: &str = "backup plugged --keep-last 2";

/// The numbers of the whole backups on the stick.
fn whole(server: &Container) -> Result<Vec<u64>> {
    let listed = stayput(server, "backup list --from /dev/sdb1 --json")?.success()?;
    let numbers = listed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("\"number\": "));
    let numbers = numbers.filter_map(|number| number.trim_end_matches(',').parse().ok());
    Ok(numbers.collect())
}

fn write_a_row(server: &Container) -> Result {
    server.sql("INSERT INTO clinic.patient (name) VALUES ('one more')")?;
    Ok(())
}

#[test]
fn stick_with_backups_gets_one_where_rows_have_come() -> Result {
    let server = guarded()?;
    let scratch = Scratch::new()?;
    let image = scratch.join("stick.img").display().to_string();
    run("truncate", &["--size=1G", &image])?;
    run("mkfs.ext4", &["-q", "-F", &image])?;
    let stick = plug(&server, &scratch)?;

    // It is nobody's until its owner has made one.
    stayput(&server, LOOK)?.success()?;
    assert!(!stayput(&server, "backup list --from /dev/sdb1")?.ok());
    stayput(&server, "backup --to /dev/sdb1")?.success()?;
    stayput(&server, LOOK)?.success()?;
    assert_eq!(whole(&server)?, [1, 2]);
    let status = stayput(&server, "status --all")?.text;
    let words = "/dev/sdb1 has backup 2. It may be pulled out.";
    assert!(status.contains(words), "{status}");
    assert!(status.contains("number 2, is "), "{status}");

    stayput(&server, LOOK)?.success()?;
    assert_eq!(whole(&server)?, [1, 2], "nobody has written anything");
    for _ in 0..2 {
        write_a_row(&server)?;
        // Not more than a tenth of the time goes into backups.
        server.shell("sed -i 's/\"took\":[0-9]*/\"took\":0/g' /run/stayput-backup.json")?;
        stayput(&server, LOOK)?.success()?;
    }
    // The one that was made by hand stays.
    assert_eq!(whole(&server)?, [1, 3, 4]);
    drop(stick);
    Ok(())
}

#[test]
fn units_come_and_go_as_their_owner_says() -> Result {
    let server = guarded()?;
    let files = "ls /etc/systemd/system/stayput-backup.service \
                 /etc/systemd/system/stayput-backup.timer \
                 /etc/udev/rules.d/90-stayput-backup.rules";
    for _ in 0..2 {
        stayput(&server, "backup automatic on")?.success()?;
        server.shell(files)?.success()?;
        let timer = "systemctl is-enabled stayput-backup.timer && \
                     systemctl is-active stayput-backup.timer";
        server.shell(timer)?.success()?;
    }
    let checked = "systemd-analyze verify /etc/systemd/system/stayput-backup.service";
    let said = server.shell(checked)?.text;
    assert!(!said.contains("stayput-backup"), "{said}");
    stayput(&server, "backup automatic off")?.success()?;
    let left = server.shell(&format!("{files} 2>/dev/null"))?.text;
    assert_eq!(left.trim(), "");
    let off = server.shell("systemctl is-enabled stayput-backup.timer")?;
    assert!(!off.ok(), "{off}");
    Ok(())
}
