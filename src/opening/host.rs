//! What does the acts of the machine: the boot stage, `stayput simulate`, and
//! the tests. The order of acts and events is defined here alone.

use super::act::{Act, Event};

/// Runs a [`super::Machine`] and does its acts.
pub trait Host {
    /// Passes an event to the machine; returns its acts.
    fn hear(&mut self, event: Event<'_>) -> Vec<Act>;

    /// Does one act; returns the event that answers it, if there is one.
    fn perform(&mut self, act: Act) -> Option<Event<'static>>;

    /// Whether the rest of the acts is dropped.
    fn has_ended(&self) -> bool {
        false
    }

    /// Tells the machine an event and does all acts that follow. The answer to
    /// an act is told before the next act is done.
    fn tell(&mut self, event: Event<'_>) {
        // A stack: the next act is the last one.
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
