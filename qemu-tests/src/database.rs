//! What is said to MariaDB through a server's shell.

/// Waits until it answers; fails as soon as its unit has failed.
pub(crate) const WAIT: &str = "i=0; until mariadb -e 'SELECT 1' >/dev/null 2>&1; do \
     if systemctl is-failed -q mariadb || [ $i = 360 ]; then \
     systemctl status mariadb; journalctl -u mariadb | tail -n 40; exit 1; fi; \
     sleep 0.5; i=$((i+1)); done";

/// Runs SQL as root; rows come one a line, columns between tabs.
pub(crate) fn command(statements: &str) -> String {
    let quoted = statements.replace('\'', "'\\''");
    format!("mariadb -N -B -e '{quoted}'")
}
