//! The story that stayput is for, on a whole server: at home, a power cut,
//! stolen, and back with the stick. The demo tells it, tests hold it. Where the server
//! has no database, its patients are left out.

use std::time::Duration;

use crate::install::Tell;
use crate::{
    DebianMachine, Failure, Layout, PASSPHRASE_QUESTIONS, Place, Result, Stick, System, search,
    seconds,
};

/// A name that stands in the database, and must not stand on the disk.
const CANARY: &str = "Halima Okello 7731 malaria";
/// Something that does stand on the disk, so that the search is known to work.
const CONTROL: &str = "a note in the clear 4416";

/// One server and what happens to it, in this order or a part of it.
pub struct Story {
    pub server: DebianMachine,
    system: System,
    home: Place,
    elsewhere: Place,
    stick: Stick,
}

impl Story {
    pub fn begin(system: System, tell: Tell<'_>) -> Result<Self> {
        Ok(Self {
            server: DebianMachine::installed(system, tell)?,
            system,
            home: Place::home()?,
            elsewhere: Place::elsewhere()?,
            stick: DebianMachine::installed_stick(system)?,
        })
    }

    /// At home the key is released, MariaDB starts, a patient is written, and
    /// neither the patient nor a key can be read off the raw disk.
    pub fn at_home(&mut self, tell: Tell<'_>) -> Result {
        self.server.boot_at(&self.home)?;
        self.server.wait_until_it_serves()?;
        tell(&format!("  {}", self.released()?));
        if self.system.has_database() {
            self.write_a_patient(tell)?;
        }
        Ok(())
    }

    fn write_a_patient(&mut self, tell: Tell<'_>) -> Result {
        self.server.sql(&format!(
            "CREATE DATABASE clinic; USE clinic; \
             CREATE TABLE patient (id INT PRIMARY KEY AUTO_INCREMENT, note TEXT); \
             CREATE TABLE visit (id INT PRIMARY KEY, note TEXT) ENGINE=Aria; \
             INSERT INTO patient (note) VALUES ('{CANARY}'); \
             INSERT INTO visit VALUES (1, 'the first visit'); \
             FLUSH TABLES; FLUSH LOGS"
        ))?;
        self.server
            .shell(&format!("echo '{CONTROL}' >/root/note && sync"))?
            .success()?;
        tell("  MariaDB runs; a patient table is written");
        let keys = self.server.released_keys()?;
        let mut needles = vec![CONTROL.as_bytes().to_vec(), CANARY.as_bytes().to_vec()];
        needles.extend(keys.iter().flat_map(|key| search::forms_of(key)));
        let found = search::found_in(self.server.disk(), &needles)?;
        // On an encrypted disk nothing stands in the clear.
        let expected: &[usize] = match self.system.layout {
            Layout::Plain => &[0],
            Layout::Layered => &[],
        };
        if found != expected {
            return Err(Failure::new(format!(
                "of the control, the patient and the keys these stand on the raw disk: {found:?} \
                 (not {expected:?})"
            )));
        }
        tell(&format!(
            "  the raw disk was searched: the patient is not on it, nor one of {} keys",
            keys.len()
        ));
        Ok(())
    }

    /// The power goes in the middle of writes; at home again every committed
    /// row is there, and a database user that was made just before.
    pub fn power_cut(&mut self, tell: Tell<'_>) -> Result {
        let committed = match self.system.has_database() {
            true => Some(self.write_rows()?),
            false => None,
        };
        self.server.power_cut();
        tell("  the power is cut");
        self.server.boot_at(&self.home)?;
        self.server.wait_until_it_serves()?;
        tell(&format!("  at home again: {}", self.released()?));
        committed.map_or(Ok(()), |committed| self.has_lost_nothing(committed, tell))
    }

    /// Goes on writing rows; gives how many of them are committed so far.
    fn write_rows(&mut self) -> Result<u64> {
        self.server.sql(
            "CREATE USER nurse IDENTIFIED BY 'x'; \
             INSERT INTO clinic.visit VALUES (2, 'before the cut')",
        )?;
        self.server
            .shell(
                "cd /run && nohup sh -c 'i=0; while mariadb clinic -e \
                 \"INSERT INTO patient (note) VALUES (\\\"row $i\\\")\"; \
                 do i=$((i+1)); echo $i >committed.new; mv committed.new committed; done' \
                 >/dev/null 2>&1 &",
            )?
            .success()?;
        self.wait_for_rows(20)
    }

    fn has_lost_nothing(&mut self, committed: u64, tell: Tell<'_>) -> Result {
        let rows =
            self.sql_number("SELECT COUNT(*) FROM clinic.patient WHERE note LIKE 'row %'")?;
        // One more may have been committed than we were told of.
        if rows < committed {
            return Err(Failure::new(format!(
                "{committed} rows were committed, {rows} are there"
            )));
        }
        self.expect("SELECT COUNT(*) FROM clinic.visit", 2)?;
        self.expect(
            "SELECT COUNT(*) FROM mysql.global_priv WHERE User = 'nurse'",
            1,
        )?;
        tell(&format!(
            "  MariaDB recovered: {rows} rows, {committed} were committed before the cut, and \
             the user made before it"
        ));
        Ok(())
    }

    /// Somewhere else it halts in the prompt: no key, no database, no root
    /// filesystem.
    pub fn stolen(&mut self, tell: Tell<'_>) -> Result {
        self.server.power_cut();
        self.server.switch_on_at(&self.elsewhere)?;
        self.server.wait_for_prompt()?;
        let log = self.server.shell("dmesg")?.text;
        let locked = log
            .lines()
            .find_map(|line| line.find("stayput: locked").map(|at| &line[at..]))
            .ok_or_else(|| Failure::new(format!("no line about the lock in {log}")))?;
        tell(&format!("  it halts in the prompt: {locked}"));
        self.still_locked()?;
        // And it stays so.
        std::thread::sleep(seconds(10));
        self.still_locked()?;
        tell("  no database was started, the tmpfs is empty, the disk is not mounted");
        Ok(())
    }

    /// The owner's stick is plugged in while the prompt waits: the boot goes
    /// on, and the same rows are there.
    pub fn stick_brings_it_back(&mut self, tell: Tell<'_>) -> Result {
        self.server.plug(&self.stick)?;
        self.server.wait_for_system()?;
        self.server.wait_until_it_serves()?;
        tell(&format!("  {}", self.released()?));
        if self.system.has_database() {
            self.has_the_patient(tell)?;
        }
        Ok(())
    }

    fn has_the_patient(&mut self, tell: Tell<'_>) -> Result {
        let note = self
            .server
            .sql("SELECT note FROM clinic.patient WHERE id = 1")?;
        if note.trim_end() != CANARY {
            return Err(Failure::new(format!("the patient's note is now {note:?}")));
        }
        tell(&format!("  MariaDB serves the same rows: {CANARY}"));
        Ok(())
    }

    /// The image of the stick, for a person who plugs it in.
    pub fn stick(&self) -> &Stick {
        &self.stick
    }

    fn still_locked(&mut self) -> Result {
        self.server
            .shell(
                "[ -z \"$(ls -A /run/stayput 2>/dev/null)\" ] || { ls -la /run/stayput; exit 1; }; \
                 ! grep -x mariadbd /proc/[0-9]*/comm || exit 1; \
                 ! grep -E ' /(sys)?root ' /proc/mounts || exit 1; \
                 ! ls /dev/mapper/root",
            )?
            .success()?;
        let shown = self.server.console().transcript();
        match PASSPHRASE_QUESTIONS
            .iter()
            .find(|asked| shown.contains(*asked))
        {
            None => Ok(()),
            Some(_) => Err(Failure::new(format!(
                "the disk's passphrase is asked for beside the prompt: {shown}"
            ))),
        }
    }

    /// The boot stage's line of figures; what it released has come into the real system.
    fn released(&mut self) -> Result<String> {
        let ask = "grep -q ' /run/stayput ' /proc/mounts && stat -c %a%u /run/stayput";
        let seen = self.server.shell(ask)?.success()?;
        if seen.trim() != "7500" {
            return Err(Failure::new(format!("/run/stayput is {seen}")));
        }
        let log = self.server.shell("dmesg")?.text;
        log.lines()
            .find_map(|line| {
                line.find("stayput: released")
                    .map(|at| line[at..].to_string())
            })
            .ok_or_else(|| {
                Failure::new(format!("nothing was released, says the kernel log: {log}"))
            })
    }

    fn wait_for_rows(&mut self, at_least: u64) -> Result<u64> {
        for _ in 0..240 {
            let text = self
                .server
                .shell("cat /run/committed 2>/dev/null || echo 0")?
                .text;
            let count = text.trim().parse().unwrap_or(0);
            if count >= at_least {
                return Ok(count);
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        Err(Failure::new(
            "the rows before the power cut were not written",
        ))
    }

    fn sql_number(&mut self, statement: &str) -> Result<u64> {
        let text = self.server.sql(statement)?;
        text.trim()
            .parse()
            .map_err(|_| Failure::new(format!("{statement} gave {text:?}")))
    }

    fn expect(&mut self, statement: &str, number: u64) -> Result {
        let found = self.sql_number(statement)?;
        if found == number {
            return Ok(());
        }
        Err(Failure::new(format!(
            "{statement} gave {found}, not {number}"
        )))
    }
}
