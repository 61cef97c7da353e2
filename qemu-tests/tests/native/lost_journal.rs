//! What a run has noted is lost, damaged, or no longer true: the clear
//! original is still told, and there is a way on.

use qemu_tests::{Container, Result};

use crate::clinic::{JOURNAL, MAKING, ORIGINAL, clinic, has_rows, stayput};

fn encrypted() -> Result<Container> {
    let server = clinic()?;
    stayput(&server, "enable")?.success()?;
    Ok(server)
}

fn is_told(server: &Container) -> Result {
    let status = server.shell("stayput status")?.success()?;
    assert!(status.contains("CLEAR COPY"), "{status}");
    Ok(())
}

#[test]
fn clear_original_without_its_journal_is_told_and_destroyed() -> Result {
    let server = encrypted()?;
    for lose in ["rm", "truncate -s 20"] {
        // It works at the lowest priority, and would take the run up itself.
        let ended = "i=0; while systemctl is-active --quiet stayput-mariadb-original; do \
                     [ $i -lt 300 ] || exit 1; i=$((i+1)); sleep 0.2; done";
        server.shell(ended)?.success()?;
        server.shell(&format!("{lose} {JOURNAL}"))?.success()?;
        is_told(&server)?;
        let said = stayput(&server, "enable")?.success()?;
        assert!(said.contains("journal of an earlier run is lost"), "{said}");
        has_rows(&server, 5000)?;
        is_told(&server)?;
    }
    stayput(&server, "destroy-original")?.success()?;
    server.shell(&format!("! test -e {ORIGINAL}"))?.success()?;
    let status = server.shell("stayput status")?.success()?;
    assert!(!status.contains("CLEAR COPY"), "{status}");
    has_rows(&server, 5000)
}

#[test]
fn way_back_is_open_without_the_journal() -> Result {
    let server = encrypted()?;
    server.shell(&format!("rm {JOURNAL}"))?.success()?;
    stayput(&server, "enable --undo")?.success()?;
    has_rows(&server, 5000)?;
    server
        .shell("test -e /var/lib/mysql/clinic && ! test -e /var/lib/stayput/mariadb.check")?
        .success()?;
    Ok(())
}

#[test]
fn original_that_is_no_longer_whole_is_not_gone_back_to() -> Result {
    let server = encrypted()?;
    // As after a power cut in the destruction, and a disk that lost the rest.
    server
        .shell(&format!(
            "rm {JOURNAL} {ORIGINAL}/data/ibdata1 && touch {ORIGINAL}/being-destroyed"
        ))?
        .success()?;
    let output = stayput(&server, "enable --undo")?;
    assert!(
        !output.ok() && output.text.contains("no way back"),
        "{output}"
    );
    has_rows(&server, 5000)?;
    stayput(&server, "destroy-original")?.success()?;
    has_rows(&server, 5000)
}

#[test]
fn original_removed_by_hand_does_not_keep_a_run_from_its_end() -> Result {
    let server = encrypted()?;
    server
        .shell(&format!(
            "sed -i 's/^stage .*/stage starting/' {JOURNAL} && rm -r {ORIGINAL}"
        ))?
        .success()?;
    let output = stayput(&server, "enable")?;
    let way_out = "stayput mariadb destroy-original";
    assert!(!output.ok() && output.text.contains(way_out), "{output}");
    stayput(&server, "destroy-original")?.success()?;
    let status = server.shell("stayput status")?.success()?;
    assert!(!status.contains("CLEAR COPY"), "{status}");
    has_rows(&server, 5000)
}

#[test]
fn damaged_journal_of_no_run_says_what_to_do() -> Result {
    let server = clinic()?;
    server
        .shell(&format!(
            "mkdir -p /var/lib/stayput && echo nonsense >{JOURNAL}"
        ))?
        .success()?;
    let output = stayput(&server, "enable")?;
    let way_out = format!("rm {JOURNAL}");
    assert!(!output.ok() && output.text.contains(&way_out), "{output}");
    server.shell(&way_out)?.success()?;
    stayput(&server, "enable")?.success()?;
    has_rows(&server, 5000)
}

#[test]
fn rehearsal_that_was_killed_is_told_and_thrown_away() -> Result {
    let server = clinic()?;
    server
        .shell(&format!(
            "stayput mariadb enable --dry-run >/dev/null & \
             until test -e {MAKING}/data; do sleep 0.02; done; kill -9 $!; wait || true"
        ))?
        .success()?;
    let status = server.shell("stayput status")?.success()?;
    assert!(
        status.contains(&format!("takes room in {MAKING}")),
        "{status}"
    );
    stayput(&server, "enable --undo")?.success()?;
    server.shell(&format!("! test -e {MAKING}"))?.success()?;
    has_rows(&server, 5000)
}

/// Where the server of a copy sees its data.
const COPY: &str = "datadir=/run/stayput-enable/new";

#[test]
fn server_of_a_killed_rehearsal_holds_nothing_up() -> Result {
    let server = clinic()?;
    // A disk on which a server needs its time to end.
    server
        .shell(&format!(
            "stayput mariadb enable --dry-run >/dev/null & \
             until test -e /run/stayput-enable/sockets/new.sock; do sleep 0.02; done; \
             pkill -STOP -f '[m]ariadbd.*{COPY}'; kill -9 $!; wait || true"
        ))?
        .success()?;
    stayput(&server, "enable")?.success()?;
    has_rows(&server, 5000)
}

#[test]
fn reset_does_not_promise_what_it_does_not_do() -> Result {
    let server = encrypted()?;
    let announced = |stage: &str| -> Result<String> {
        server
            .shell(&format!("sed -i 's/^stage .*/stage {stage}/' {JOURNAL}"))?
            .success()?;
        server.shell("stayput reset --dry-run")?.success()
    };
    let waiting = announced("waiting")?;
    assert!(waiting.contains("which is still on this disk"), "{waiting}");
    let building = announced("building")?;
    assert!(building.contains("still in the clear"), "{building}");
    assert!(
        !building.contains("which is still on this disk"),
        "{building}"
    );
    Ok(())
}
