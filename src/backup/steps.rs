//! The order in which a backup is written, and in which it is removed, as data: whenever the
//! power goes or the stick is pulled, no backup is listed as whole that is not.

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The folder is there, under its unfinished name.
    MakeFolder,
    /// Every part is written.
    WriteParts,
    /// What was done so far is on the disk (syncfs(2)).
    Flush,
    /// Every part is read from the disk again and has its digest. After all of them were
    /// written: a stick that lies about its size has written over the first by then.
    ReadBack,
    /// The manifest, which makes it a backup, once it has its name.
    WriteManifest,
    /// The folder gets its name.
    NameFolder,
    /// From here on it is none.
    RemoveManifest,
    /// All other files go.
    RemoveParts,
    /// The empty folder goes.
    RemoveFolder,
}

/// Writing a backup.
pub const MAKE: [Step; 8] = [
    Step::MakeFolder,
    Step::WriteParts,
    Step::Flush,
    Step::ReadBack,
    Step::WriteManifest,
    Step::Flush,
    Step::NameFolder,
    Step::Flush,
];

/// Removing one, whole or not. A disk may keep the removal of a part and lose that of the
/// manifest, if both were on their way: so the manifest goes first, and alone.
pub const REMOVE: [Step; 5] = [
    Step::RemoveManifest,
    Step::Flush,
    Step::RemoveParts,
    Step::RemoveFolder,
    Step::Flush,
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARTS: usize = 3;

    /// What a file is on the disk.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum OnDisk {
        Missing,
        /// Its length is noted, and what it holds is not there yet.
        Hollow,
        Whole,
    }

    /// A folder as a disk has it.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Folder {
        is_there: bool,
        is_named: bool,
        manifest: OnDisk,
        parts: [OnDisk; PARTS],
    }

    const NOTHING: Folder = Folder {
        is_there: false,
        is_named: false,
        manifest: OnDisk::Missing,
        parts: [OnDisk::Missing; PARTS],
    };

    /// One change that a disk can make alone, or lose.
    #[derive(Clone, Copy, Debug)]
    enum Change {
        There(bool),
        Name,
        Manifest(OnDisk),
        Part(usize, OnDisk),
    }

    impl Folder {
        /// As a list shows it: by names and lengths, and the manifest's HMAC.
        fn is_listed_as_whole(&self) -> bool {
            self.is_there
                && self.is_named
                && self.manifest == OnDisk::Whole
                && self.parts.iter().all(|part| *part != OnDisk::Missing)
        }

        fn is_whole(&self) -> bool {
            self.parts.iter().all(|part| *part == OnDisk::Whole)
        }

        fn apply(&mut self, change: Change) {
            match change {
                Change::There(is_there) => self.is_there = is_there,
                Change::Name => self.is_named = true,
                Change::Manifest(file) => self.manifest = file,
                Change::Part(part, file) => self.parts[part] = file,
            }
        }
    }

    /// The changes of a step, in the order in which they are made.
    fn changes(step: Step) -> Vec<Change> {
        let parts = |file| (0..PARTS).map(move |part| Change::Part(part, file));
        match step {
            Step::MakeFolder => vec![Change::There(true)],
            Step::WriteParts => parts(OnDisk::Hollow).chain(parts(OnDisk::Whole)).collect(),
            Step::Flush | Step::ReadBack => Vec::new(),
            Step::WriteManifest => vec![
                Change::Manifest(OnDisk::Hollow),
                Change::Manifest(OnDisk::Whole),
            ],
            Step::NameFolder => vec![Change::Name],
            Step::RemoveManifest => vec![Change::Manifest(OnDisk::Missing)],
            Step::RemoveParts => parts(OnDisk::Missing).collect(),
            Step::RemoveFolder => vec![Change::There(false)],
        }
    }

    /// What the disk has after a cut within `steps`: all that was flushed, and of what came
    /// after the flush those changes for which `kept` has a bit.
    fn after_a_cut(mut disk: Folder, steps: &[Step], cut: usize, kept: u32) -> Folder {
        let mut on_their_way = Vec::new();
        let mut left = cut;
        'steps: for step in steps {
            if *step == Step::Flush {
                on_their_way.drain(..).for_each(|change| disk.apply(change));
            }
            for change in changes(*step) {
                if left == 0 {
                    break 'steps;
                }
                left -= 1;
                on_their_way.push(change);
            }
        }
        for (at, change) in on_their_way.into_iter().enumerate() {
            if kept >> at & 1 == 1 {
                disk.apply(change);
            }
        }
        disk
    }

    fn all_changes(steps: &[Step]) -> usize {
        steps.iter().map(|step| changes(*step).len()).sum()
    }

    fn made() -> Folder {
        after_a_cut(NOTHING, &MAKE, usize::MAX, 0)
    }

    #[test]
    fn whole_backup_is_listed_and_a_removed_one_is_gone() {
        assert!(made().is_listed_as_whole() && made().is_whole());
        let gone = after_a_cut(made(), &REMOVE, usize::MAX, 0);
        assert!(!gone.is_there && !gone.is_listed_as_whole());
    }

    #[test]
    fn manifest_without_a_flush_before_it_would_lie() {
        let steps: Vec<Step> = MAKE
            .into_iter()
            .filter(|step| *step != Step::Flush)
            .collect();
        let lies = (0..1 << all_changes(&steps)).any(|kept| {
            let disk = after_a_cut(NOTHING, &steps, usize::MAX, kept);
            disk.is_listed_as_whole() && !disk.is_whole()
        });
        assert!(lies, "the model sees what the flush is for");
        let steps: Vec<Step> = REMOVE
            .into_iter()
            .filter(|step| *step != Step::Flush)
            .collect();
        // One part is gone, and the manifest came back.
        let disk = after_a_cut(made(), &steps, 2, 0b10);
        assert!(!disk.is_whole() && disk.manifest == OnDisk::Whole);
    }

    proptest! {
        #[test]
        fn no_cut_leaves_a_backup_that_lies(
            cut in 0..=all_changes(&MAKE),
            kept in any::<u32>(),
            again in 0..=all_changes(&REMOVE),
            kept_again in any::<u32>(),
        ) {
            let disk = after_a_cut(NOTHING, &MAKE, cut, kept);
            prop_assert!(!disk.is_listed_as_whole() || disk.is_whole(), "{:?}", disk);
            // What a cut has left is removed, and that is cut too; and a whole one is thinned.
            for before in [disk, made()] {
                let left = after_a_cut(before, &REMOVE, again, kept_again);
                prop_assert!(!left.is_listed_as_whole() || left.is_whole(), "{:?}", left);
            }
        }
    }
}
