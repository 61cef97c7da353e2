//! Which sticks are plugged in, and which were looked at already.

use crate::stick::{self, Stick};

/// Remembers the sticks that were judged, for as long as they stay in.
#[derive(Default)]
pub struct StickWatch {
    judged: Vec<Stick>,
    /// The disk that the vault is on; it may look like a stick and is none.
    own_disk: Option<heapless::String<63>>,
}

impl StickWatch {
    pub fn leave_out(&mut self, disk: Option<heapless::String<63>>) {
        self.own_disk = disk;
    }

    /// Sticks that came since the last call, or that show new volumes.
    pub fn news(&mut self) -> Vec<Stick> {
        let plugged: Vec<Stick> = stick::plugged_in()
            .into_iter()
            .filter(|stick| Some(&stick.disk) != self.own_disk.as_ref())
            .collect();
        self.judged.retain(|known| plugged.contains(known));
        let news: Vec<Stick> = plugged
            .into_iter()
            .filter(|stick| !self.judged.contains(stick))
            .collect();
        self.judged.extend(news.iter().cloned());
        news
    }

    /// Whether a stick that was in the news is still plugged in.
    pub fn is_in(&self, stick: &Stick) -> bool {
        self.judged.contains(stick)
    }

    /// Everything that is plugged in will be news again.
    pub fn forget(&mut self) {
        self.judged.clear();
    }
}
