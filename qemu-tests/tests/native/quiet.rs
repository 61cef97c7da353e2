//! What systemd shows on the console of its units.

use qemu_tests::{Container, Result, Suite};

const SHOWN: &str = "systemctl show --property=ShowStatus --value";

/// As at the end of a prompt, on the systemd of each Debian. The story with dracut holds the
/// same at a real one.
#[test]
#[ignore = "takes half a minute: qemu-tests/matrix runs it"]
fn what_systemd_was_told_to_show_is_put_back() -> Result {
    for suite in Suite::IN_CONTAINERS {
        let mut server = Container::fresh(suite)?;
        // In the place of `quiet`: in a container nobody reads the kernel's command line.
        let told = "mkdir -p /etc/systemd/system.conf.d && \
                    printf '[Manager]\\nShowStatus=error\\n' >/etc/systemd/system.conf.d/quiet.conf";
        server.shell(&format!("{told} && sync"))?.success()?;
        server.power_cut();
        server.boot()?;
        let shows = |server: &Container| server.shell(SHOWN)?.success();
        assert_eq!(shows(&server)?, "no\n", "{suite:?}");
        // SIGRTMIN+20, as run-stage sends it when the stage was killed.
        server.shell("kill -54 1")?.success()?;
        assert_eq!(shows(&server)?, "yes\n", "{suite:?}");
        server
            .shell("/usr/lib/stayput/stayput-boot put-back")?
            .success()?;
        assert_eq!(shows(&server)?, "no\n", "{suite:?}");
    }
    Ok(())
}
