//! Whoever does what the machine says: the boot stage, `stayput simulate`, and
//! the tests. The order in which things are done stands here, once.

use super::act::{Act, Event};

/// Has a [`super::Machine`], and something to act on.
pub trait Host {
    /// What the machine makes of an event, now.
    fn hear(&mut self, event: Event<'_>) -> Vec<Act>;

    /// Does one act; returns the answer to one that asks.
    fn perform(&mut self, act: Act) -> Option<Event<'static>>;

    /// Whether nothing is done any more.
    fn has_ended(&self) -> bool {
        false
    }

    /// Tells the machine what happened, and does what follows. The answer to an
    /// act comes before the acts behind it.
    fn tell(&mut self, event: Event<'_>) {
        // The last one first.
        let mut acts = self.hear(event);
        acts.reverse();
        while !self.has_ended()
            && let Some(act) = acts.pop()
        {
            if let Some(answer) = self.perform(act) {
                acts.extend(self.hear(answer).into_iter().rev());
            }
        }
    }
}
