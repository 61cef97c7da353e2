//! A crashed database and every way of starting it wrongly: no file of it is
//! touched, and with the right keys afterwards everything is there.
//!
//! What each of these starts does to an unguarded server was tried before:
//! rows and accounts that were committed are gone for good.

use qemu_tests::{DebianMachine, Failure, Place, Result, System, minutes};

const KEYS: &str = "/run/stayput/mariadb.keys";
const NOTICE: &str = "WHERE-THE-DATA-IS.txt";
const SETTINGS: &str = "/etc/mysql/mariadb.conf.d/zz-stayput.cnf";

/// Names, sizes, owners, times and contents of every file, and of the
/// directories.
const FINGERPRINT: &str = "cd /var/lib/stayput/mariadb && \
     find . -printf '%p %y %s %m %u %T@ %C@\\n' | sort && \
     find . -type f -exec sha256sum {} + | sort -k2";

/// Copies the keys and settings to where no start looks.
fn keep_what_is_right(server: &mut DebianMachine) -> Result {
    server
        .shell(&format!(
            "cp -p {KEYS} /run/right.keys && cp -p {SETTINGS} /run/right.cnf"
        ))?
        .success()?;
    Ok(())
}

/// A server whose mariadbd was killed in the middle of writes, and what was
/// committed until then.
struct Crashed {
    server: DebianMachine,
    home: Place,
    fingerprint: String,
    committed: u64,
}

impl Crashed {
    fn server() -> Result<Self> {
        let home = Place::home()?;
        let mut server = DebianMachine::installed(System::USUAL, &mut |_| ())?;
        server.boot_at(&home)?;
        server.wait_for_database()?;
        server.sql(
            "CREATE DATABASE clinic; USE clinic; \
             CREATE TABLE patient (id INT PRIMARY KEY AUTO_INCREMENT, note TEXT); \
             CREATE TABLE visit (id INT, note TEXT) ENGINE=Aria; \
             CREATE TABLE second (id INT, note TEXT) ENCRYPTION_KEY_ID=2; \
             INSERT INTO visit SELECT seq, 'visit' FROM seq_1_to_300; \
             INSERT INTO second SELECT seq, 'second' FROM seq_1_to_300; \
             CREATE USER nurse IDENTIFIED BY 'x'",
        )?;
        keep_what_is_right(&mut server)?;
        // Without its key file systemd does not start it again by itself after
        // the crash.
        let committed = server
            .shell(&format!(
                "(i=0; while mariadb clinic -e \"INSERT INTO patient (note) VALUES ('$i')\"; \
                 do i=$((i+1)); echo $i >/run/committed.new; \
                 mv /run/committed.new /run/committed; done >/dev/null 2>&1) &\n\
                 until [ \"$(cat /run/committed 2>/dev/null || echo 0)\" -ge 5 ]; \
                 do sleep 0.2; done\n\
                 rm {KEYS}; kill -9 $(pidof mariadbd); \
                 while pidof mariadbd >/dev/null; do sleep 0.1; done; sleep 2; \
                 systemctl stop mariadb.socket mariadb; cat /run/committed"
            ))?
            .success()?;
        let committed = committed
            .lines()
            .rev()
            .find_map(|line| line.trim().parse().ok())
            .ok_or_else(|| Failure::new(format!("no count in {committed:?}")))?;
        let fingerprint = server.shell(FINGERPRINT)?.success()?;
        Ok(Self {
            server,
            home,
            fingerprint,
            committed,
        })
    }

    /// Tries a start. Afterwards no mariadbd may run and no file of the data
    /// may have changed; the keys and settings are put right again.
    fn refuses(&mut self, case: &str, start: &str) -> Result<String> {
        let output = self.server.shell_within(start, minutes(8))?;
        let running = self.server.shell("pidof mariadbd")?;
        if running.ok() {
            return Err(Failure::new(format!("{case}: mariadbd runs. {output}")));
        }
        self.untouched(case, &output.text)?;
        self.server
            .shell(&format!(
                "cp -p /run/right.keys {KEYS} && cp -p /run/right.cnf {SETTINGS}"
            ))?
            .success()?;
        Ok(output.text)
    }

    fn untouched(&mut self, case: &str, said: &str) -> Result {
        let now = self.server.shell(FINGERPRINT)?.success()?;
        if now == self.fingerprint {
            return Ok(());
        }
        let changed: Vec<&str> = now
            .lines()
            .filter(|line| !self.fingerprint.lines().any(|before| before == *line))
            .collect();
        Err(Failure::new(format!(
            "{case}: these files were touched: {changed:#?}\nIt said: {said}"
        )))
    }

    /// Tries a start through the unit, which has to fail and to say why.
    fn unit_refuses(&mut self, case: &str, before: &str, why: &str) -> Result {
        let said = self.refuses(
            case,
            &format!(
                "{before}\nsystemctl reset-failed mariadb; \
                 if systemctl start mariadb; then echo STARTED; fi; \
                 systemctl status mariadb --no-pager -l; \
                 journalctl -u mariadb -o cat --no-pager -n 30"
            ),
        )?;
        if said.contains("STARTED") || !said.contains(why) {
            return Err(Failure::new(format!(
                "{case}: no word of {why:?} in {said}"
            )));
        }
        Ok(())
    }

    /// With the right keys: everything that was committed.
    fn comes_back_whole(&mut self) -> Result {
        self.server
            .shell("systemctl reset-failed mariadb; systemctl start mariadb")?;
        self.server.wait_for_database()?;
        for (question, least) in [
            ("SELECT COUNT(*) FROM clinic.patient", self.committed),
            (
                "SELECT COUNT(*) FROM clinic.visit WHERE note = 'visit'",
                300,
            ),
            (
                "SELECT COUNT(*) FROM clinic.second WHERE note = 'second'",
                300,
            ),
            (
                "SELECT COUNT(*) FROM mysql.global_priv WHERE User = 'nurse'",
                1,
            ),
        ] {
            let count: u64 = self.server.sql(question)?.trim().parse().unwrap_or(0);
            if count < least {
                return Err(Failure::new(format!("{question}: {count}, not {least}")));
            }
        }
        let checked = self
            .server
            .sql("CHECK TABLE clinic.patient, clinic.visit, clinic.second")?;
        assert_eq!(checked.matches("status\tOK").count(), 3, "{checked}");
        Ok(())
    }
}

#[test]
fn no_wrong_start_of_a_crashed_database_touches_a_file() -> Result {
    let mut crashed = Crashed::server()?;

    // Through the unit.
    crashed.unit_refuses("absent key", &format!("rm -f {KEYS}"), KEYS)?;
    for id in [1, 2] {
        crashed.unit_refuses(
            "wrong key",
            &format!("sed -i 's/^{id};..../{id};abcd/' {KEYS}"),
            &format!("key {id} in"),
        )?;
    }
    crashed.unit_refuses(
        "plugin removed",
        &format!("sed -i '/plugin_load_add/d; /file_key_management/d' {SETTINGS}"),
        "do not load the plugin",
    )?;
    crashed.unit_refuses(
        "algorithm changed",
        &format!("sed -i s/AES_CTR/AES_CBC/ {SETTINGS}"),
        "aes_cbc instead of AES_CTR",
    )?;
    crashed.unit_refuses(
        "check file lost",
        "mv /var/lib/stayput/mariadb.check /run/",
        "mariadb.check",
    )?;
    crashed
        .server
        .shell("mv /run/mariadb.check /var/lib/stayput/")?
        .success()?;

    // Past the unit; with the place covered, as after a stop.
    crashed.past_the_unit("covered")?;
    crashed.refuses(
        "reinstall",
        &format!(
            "rm {KEYS}; DEBIAN_FRONTEND=noninteractive apt-get install -q -y --reinstall \
             --no-download mariadb-server"
        ),
    )?;

    // Bare, as a power cut leaves it, where somebody boots it without the
    // gate's units, as a rescue system does.
    crashed.server.shell("sync")?;
    crashed.server.power_cut();
    crashed.server.kernel_words = "systemd.mask=mariadb.service systemd.mask=mariadb.socket \
         systemd.mask=stayput-mariadb-closed.service"
        .into();
    crashed.server.boot_at(&crashed.home)?;
    let attributes = crashed
        .server
        .shell("lsattr -d /var/lib/mysql")?
        .success()?;
    assert!(attributes.contains("-i-"), "{attributes}");
    crashed.untouched("a boot without the gate's units", "nothing")?;
    keep_what_is_right(&mut crashed.server)?;
    crashed.past_the_unit("bare")?;

    crashed.server.shell("sync")?;
    crashed.server.power_cut();
    crashed.server.kernel_words.clear();
    crashed.server.boot_at(&crashed.home)?;
    crashed.server.wait_for_database()?;
    crashed.comes_back_whole()
}

impl Crashed {
    /// Every other way to start it, by root, without the plugin's key.
    fn past_the_unit(&mut self, state: &str) -> Result {
        for start in [
            "mysqld_safe",
            "_SYSTEMCTL_SKIP_REDIRECT=1 MYSQLD_STARTUP_TIMEOUT=5 /etc/init.d/mariadb start",
            "/etc/init.d/mariadb start",
            "mariadbd",
            "mariadbd --user=mysql",
            "mariadbd --user=root",
            "mariadbd --bootstrap --user=mysql",
            "bash mysql_install_db --rpm --cross-bootstrap --user=mysql --skip-test-db",
            "systemctl start mariadb@other",
        ] {
            self.refuses(
                &format!("{start} ({state})"),
                &format!("rm -f {KEYS}; timeout 60 env {start}"),
            )?;
            let seen = self.server.shell("ls /var/lib/mysql")?.text;
            // stayput's own text stands there, for people.
            let known = |name: &str| name.starts_with("debian-") || name == NOTICE;
            let hides = seen.lines().any(|name| !known(name));
            assert!(!hides, "{start} made {seen} in front of the real database");
        }
        Ok(())
    }
}
