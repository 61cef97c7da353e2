//! The order in which a backup is written, and in which it is removed, as data: whenever the
//! power goes or the stick is pulled, no backup is listed as whole that is not, and what is
//! left is known as something to remove. Nothing is renamed: on FAT a cut within a rename can
//! leave both names, with the same files behind them.

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The folder is there.
    MakeFolder,
    /// A file says that it is unfinished: from here on it is no backup.
    Mark,
    /// Every part is written, and what lies beside them.
    WriteParts,
    /// The manifest.
    WriteManifest,
    /// What was done so far is on the disk (syncfs(2)).
    Flush,
    /// All of it is read from the disk again: a stick that lies about its size has written
    /// over the first parts by then, and what is in memory says nothing about a disk.
    ReadBack,
    /// All files but the mark go.
    RemoveFiles,
    /// With a manifest it is a backup from here on.
    Unmark,
    /// The empty folder goes.
    RemoveFolder,
}

/// Writing a backup.
pub const MAKE: [Step; 9] = [
    Step::MakeFolder,
    Step::Mark,
    Step::Flush,
    Step::WriteParts,
    Step::WriteManifest,
    Step::Flush,
    Step::ReadBack,
    Step::Unmark,
    Step::Flush,
];

/// Removing one, whole or not. A disk may keep the removal of a part and lose the mark, if both
/// were on their way: so the mark goes first, and alone.
pub const REMOVE: [Step; 7] = [
    Step::Mark,
    Step::Flush,
    Step::RemoveFiles,
    Step::Flush,
    Step::Unmark,
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
        is_marked: bool,
        manifest: OnDisk,
        parts: [OnDisk; PARTS],
    }

    const NOTHING: Folder = Folder {
        is_there: false,
        is_marked: false,
        manifest: OnDisk::Missing,
        parts: [OnDisk::Missing; PARTS],
    };

    /// One change that a disk can make alone, or lose.
    #[derive(Clone, Copy, Debug)]
    enum Change {
        There(bool),
        Marked(bool),
        Manifest(OnDisk),
        Part(usize, OnDisk),
    }

    impl Folder {
        /// As a list shows it: by names and lengths, and the manifest's HMAC.
        fn is_listed_as_whole(&self) -> bool {
            self.is_there
                && !self.is_marked
                && self.manifest == OnDisk::Whole
                && self.parts.iter().all(|part| *part != OnDisk::Missing)
        }

        /// As a list shows it, and the next run removes it.
        fn is_listed_as_unfinished(&self) -> bool {
            let files = [&[self.manifest][..], &self.parts].concat();
            let is_empty = files.iter().all(|file| *file == OnDisk::Missing);
            self.is_there && (self.is_marked || is_empty)
        }

        fn is_whole(&self) -> bool {
            self.parts.iter().all(|part| *part == OnDisk::Whole)
        }

        /// What a person would have to look at, or would be told wrongly.
        fn is_left_over(&self) -> bool {
            let is_whole = self.is_listed_as_whole() && self.is_whole();
            self.is_there && !self.is_listed_as_unfinished() && !is_whole
        }

        fn apply(&mut self, change: Change) {
            match change {
                Change::There(is_there) => self.is_there = is_there,
                Change::Marked(is_marked) => self.is_marked = is_marked,
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
            Step::Mark => vec![Change::Marked(true)],
            Step::WriteParts => parts(OnDisk::Hollow).chain(parts(OnDisk::Whole)).collect(),
            Step::WriteManifest => vec![
                Change::Manifest(OnDisk::Hollow),
                Change::Manifest(OnDisk::Whole),
            ],
            Step::Flush | Step::ReadBack => Vec::new(),
            Step::RemoveFiles => {
                let manifest = [Change::Manifest(OnDisk::Missing)].into_iter();
                manifest.chain(parts(OnDisk::Missing)).collect()
            }
            Step::Unmark => vec![Change::Marked(false)],
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
                if left == 0 {
                    break;
                }
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
    fn steps_without_a_flush_between_them_would_lie() {
        for steps in [&MAKE[..], &REMOVE] {
            let is_kept = |step: &Step| *step != Step::Flush;
            let steps: Vec<Step> = steps.iter().copied().filter(is_kept).collect();
            let before = match steps.contains(&Step::MakeFolder) {
                true => NOTHING,
                false => made(),
            };
            let is_seen = (0..1 << all_changes(&steps))
                .any(|kept| after_a_cut(before.clone(), &steps, usize::MAX, kept).is_left_over());
            assert!(is_seen, "the model sees what the flush is for");
        }
    }

    proptest! {
        #[test]
        fn no_cut_leaves_a_backup_that_lies_or_stays_for_ever(
            cut in 0..=all_changes(&MAKE),
            kept in any::<u32>(),
            again in 0..=all_changes(&REMOVE),
            kept_again in any::<u32>(),
        ) {
            let disk = after_a_cut(NOTHING, &MAKE, cut, kept);
            prop_assert!(!disk.is_left_over(), "{:?}", disk);
            // What a cut has left is removed, and that is cut too; and a whole one is thinned.
            for before in [disk, made()] {
                let left = after_a_cut(before, &REMOVE, again, kept_again);
                prop_assert!(!left.is_left_over(), "{:?}", left);
            }
        }
    }
}
