//! Which sticks are plugged in, and which were looked at already.

use std::time::{Duration, Instant};

use crate::stick::{self, Stick};
use crate::sys::sysfs;

/// A stick shows its disk a moment before its partitions; one without a
/// filesystem is given this long before it is judged.
const SETTLES: Duration = Duration::from_millis(700);

/// Remembers the sticks that were judged, for as long as they stay in.
#[derive(Default)]
pub struct StickWatch {
    judged: Vec<Stick>,
    /// They are all looked at again.
    again: bool,
    /// Seen without a filesystem, and since when.
    settling: Vec<(Stick, Instant)>,
    /// The disk that the vault is on; it may look like a stick and is none.
    own_disk: Option<sysfs::Name>,
}

impl StickWatch {
    pub fn leave_out(&mut self, disk: &sysfs::Name) {
        self.own_disk = Some(disk.clone());
    }

    /// Sticks that were pulled out since the last call, and those that came or
    /// show new volumes.
    pub fn changes(&mut self) -> (Vec<Stick>, Vec<Stick>) {
        let plugged: Vec<Stick> = stick::plugged_in()
            .into_iter()
            .filter(|stick| Some(&stick.disk) != self.own_disk.as_ref())
            .collect();
        let gone = self.gone(&plugged);
        let news = self.news_of(plugged, Instant::now(), stick::shows_a_filesystem);
        (gone, news)
    }

    /// Of the sticks that were told of, those that are not there any more.
    fn gone(&mut self, plugged: &[Stick]) -> Vec<Stick> {
        let judged = std::mem::take(&mut self.judged);
        let (there, gone) = judged
            .into_iter()
            .partition(|stick| plugged.contains(stick));
        self.judged = there;
        gone
    }

    fn news_of(
        &mut self,
        plugged: Vec<Stick>,
        now: Instant,
        shows_a_filesystem: impl Fn(&Stick) -> bool,
    ) -> Vec<Stick> {
        if std::mem::take(&mut self.again) {
            self.judged.clear();
        }
        self.settling.retain(|(stick, _)| plugged.contains(stick));
        let mut news = Vec::new();
        for stick in plugged {
            if self.judged.contains(&stick) {
                continue;
            }
            let since = self.settling.iter().find(|(known, _)| *known == stick);
            let since = since.map(|(_, since)| *since);
            if shows_a_filesystem(&stick) || since.is_some_and(|since| now >= since + SETTLES) {
                self.settling.retain(|(known, _)| *known != stick);
                self.judged.push(stick.clone());
                news.push(stick);
            } else if since.is_none() {
                self.settling.push((stick, now));
            }
        }
        news
    }

    /// When to look again, if nothing else happens before.
    pub fn next(&self) -> Option<Instant> {
        let since = self.settling.iter().map(|(_, since)| *since).min()?;
        Some(since + SETTLES)
    }

    /// Everything that is plugged in will be news again.
    pub fn forget(&mut self) {
        self.again = true;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn stick(volume: &str) -> Stick {
        Stick {
            disk: "sda".try_into().unwrap(),
            sequence: "7".try_into().unwrap(),
            volumes: vec![volume.into()],
        }
    }

    #[test]
    fn a_stick_is_not_called_unreadable_before_its_partitions_are_there() {
        let (mut watch, now) = (StickWatch::default(), Instant::now());
        let (bare, whole) = (stick("/dev/sda"), stick("/dev/sda1"));
        let later = |ms| now + Duration::from_millis(ms);
        let on_partition = |stick: &Stick| stick.volumes == [Path::new("/dev/sda1")];
        assert_eq!(watch.news_of(vec![bare.clone()], now, on_partition), []);
        assert_eq!(watch.next(), Some(now + SETTLES));
        let news = watch.news_of(vec![whole.clone()], later(100), on_partition);
        assert_eq!(news, vec![whole.clone()]);
        assert_eq!(watch.next(), None);
        // Only once, as long as it stays in.
        assert_eq!(watch.news_of(vec![whole], later(900), on_partition), []);
    }

    #[test]
    fn a_stick_without_a_filesystem_is_judged_when_it_has_settled() {
        let (mut watch, now) = (StickWatch::default(), Instant::now());
        let (bare, never) = (stick("/dev/sda"), |_: &Stick| false);
        assert_eq!(watch.news_of(vec![bare.clone()], now, never), []);
        let almost = now + SETTLES - Duration::from_millis(1);
        assert_eq!(watch.news_of(vec![bare.clone()], almost, never), []);
        assert_eq!(
            watch.news_of(vec![bare.clone()], now + SETTLES, never),
            vec![bare.clone()]
        );
        // Pulled and put back, it is news again.
        assert_eq!(watch.gone(&[]), vec![bare.clone()]);
        assert_eq!(watch.news_of(vec![], now, never), []);
        assert_eq!(watch.news_of(vec![bare], now, never), []);
        assert!(watch.next().is_some());
    }

    #[test]
    fn a_stick_that_is_pulled_while_all_are_looked_at_again_is_gone() {
        let (mut watch, now) = (StickWatch::default(), Instant::now());
        let (one, other) = (stick("/dev/sda1"), stick("/dev/sdb1"));
        let both = vec![one.clone(), other.clone()];
        assert_eq!(watch.news_of(both.clone(), now, |_| true), both);
        watch.forget();
        assert_eq!(watch.gone(std::slice::from_ref(&other)), vec![one]);
        assert_eq!(
            watch.news_of(vec![other.clone()], now, |_| true),
            vec![other]
        );
    }
}
