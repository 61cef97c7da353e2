//! What runs of a backup beside MariaDB's own tools, and how much memory it holds.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use qemu_tests::{LargeDatabase, Result};

/// The programs of a backup.
const PROGRAMS: [&str; 3] = ["stayput", "zstd", "age"];
const PAUSE: Duration = Duration::from_millis(20);

/// Resident memory (VmRSS), in kB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The most that all of them held at once.
    pub together: u64,
    /// The most of each, in the order of [`PROGRAMS`].
    pub each: [u64; 3],
}

impl Memory {
    /// The larger one of each figure.
    pub fn most(self, other: Self) -> Self {
        let each = std::array::from_fn(|i| self.each[i].max(other.each[i]));
        Self {
            together: self.together.max(other.together),
            each,
        }
    }

    /// Each program with its most.
    pub fn named(self) -> impl Iterator<Item = (&'static str, u64)> {
        PROGRAMS.into_iter().zip(self.each)
    }
}

/// Looks at them until it is ended.
pub struct Watch {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Memory>,
}

impl Watch {
    /// # Errors
    /// When the container is off.
    pub fn begin(server: &LargeDatabase) -> Result<Self> {
        let root = server.root()?;
        let init = root.parent().unwrap_or(&root);
        let namespace = std::fs::read_link(init.join("ns/pid"))?;
        let ended = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let ended = Arc::clone(&ended);
            move || {
                let mut most = Memory::default();
                while !ended.load(Ordering::Relaxed) {
                    most = most.most(now(&namespace));
                    std::thread::sleep(PAUSE);
                }
                most
            }
        });
        Ok(Self { ended, thread })
    }

    /// The most that was seen.
    pub fn end(self) -> Memory {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// What they hold now.
fn now(namespace: &Path) -> Memory {
    let mut memory = Memory::default();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes.map(|entry| entry.path()) {
        let Some((program, kilobytes)) = of(&process, namespace) else {
            continue;
        };
        memory.each[program] += kilobytes;
        memory.together += kilobytes;
    }
    memory
}

/// Which of the programs a process is, and what it holds.
fn of(process: &Path, namespace: &Path) -> Option<(usize, u64)> {
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().to_owned())
    };
    let name = field("Name:")?;
    let name = name.trim_end_matches("-child");
    let program = PROGRAMS.iter().position(|program| *program == name)?;
    let kilobytes = field("VmRSS:")?.split(' ').next()?.parse().ok()?;
    let theirs = std::fs::read_link(process.join("ns/pid")).ok()?;
    (theirs == namespace).then_some((program, kilobytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_together_is_not_the_sum_of_the_most_of_each() {
        let first = Memory {
            together: 12,
            each: [10, 2, 0],
        };
        let then = Memory {
            together: 11,
            each: [4, 3, 4],
        };
        let most = first.most(then);
        assert_eq!((most.together, most.each), (12, [10, 3, 4]));
    }

    #[test]
    fn processes_of_another_namespace_are_not_seen() {
        let own = std::fs::read_link("/proc/self/ns/pid").unwrap();
        let process = Path::new("/proc/self");
        assert_eq!(of(process, &own), None, "this is none of the programs");
        assert_eq!(now(Path::new("pid:[1]")), Memory::default());
    }
}
