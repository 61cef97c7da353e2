//! The key servers: do they still have the key that was enrolled?

use super::check_result::{CheckResult, Severity};
use crate::admin::tang_advertisement::fetch_advertisement;
use crate::environment::{recover_once, server_label};
use crate::vault::{KeyServer, SlotTable};

/// One key server, as it answers now.
pub struct KeyServerFacts {
    /// `tang` with its address, and the place where that is not the home.
    pub label: String,
    /// What its answers show.
    pub state: KeyServerState,
}

/// Whether a key server still has the enrolled key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyServerState {
    /// It answers, and advertises the enrolled key.
    Same,
    /// It still answers for the enrolled key, and advertises another one.
    Rotated,
    /// It does not answer for the enrolled key: why.
    Gone(String),
    /// It answers for the enrolled key, but its list of keys could not be read:
    /// why.
    Unread(String),
}

/// Asks all enrolled key servers, one after the other.
pub fn ask_all(slots: &SlotTable) -> Vec<KeyServerFacts> {
    let places = slots.environments.iter();
    let servers = places.flat_map(|slot| slot.servers.iter().map(move |server| (slot, server)));
    servers
        .map(|(slot, server)| KeyServerFacts {
            label: server_label(server.address, &slot.name).to_string(),
            state: state(server),
        })
        .collect()
}

fn state(server: &KeyServer) -> KeyServerState {
    if let Err(why) = recover_once(server) {
        return KeyServerState::Gone(why);
    }
    match fetch_advertisement(server.address, &server.signing) {
        Ok(shown) if shown.exchange.contains(&server.exchange) => KeyServerState::Same,
        Ok(_) => KeyServerState::Rotated,
        Err(why) => KeyServerState::Unread(why.to_string()),
    }
}

/// Judges each key server. Whether enough of them answer is judged with the
/// place. Pure.
pub fn judge(facts: &[KeyServerFacts]) -> Vec<CheckResult> {
    const NAME: &str = "key_servers";
    let results = facts.iter().map(|KeyServerFacts { label, state }| {
        let warning = |what, next: &str| CheckResult::new(NAME, Severity::Warning, what, next);
        match state {
            KeyServerState::Same => {
                CheckResult::fine(NAME, format!("{label} answers with the enrolled key."))
            }
            KeyServerState::Rotated => warning(
                format!(
                    "{label} has new keys. It answers for the enrolled one as long as its owner \
                     keeps that."
                ),
                "stayput enroll --refresh",
            ),
            KeyServerState::Gone(why) => warning(
                format!("{label} does not answer for the enrolled key: {why}."),
                "Switch it on, or give it its keys back. If they are gone for good, enrol the \
                 place anew: stayput enroll --tang URL",
            ),
            KeyServerState::Unread(why) => warning(
                format!("{label} answers, but not with a list of its keys: {why}."),
                "Look at that server: it should show its keys at /adv.",
            ),
        }
    });
    results.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{TestTang, enrol_with_server};

    #[test]
    fn rotated_keys_are_noticed_before_the_old_ones_are_deleted() {
        let tang = TestTang::start();
        let shown = fetch_advertisement(tang.address, &[]);
        let shown = shown.unwrap_or_else(|why| panic!("{why}"));
        let exchange = shown.exchange[0].clone();
        let server = KeyServer {
            address: tang.address,
            ours: enrol_with_server(&exchange).unwrap().0,
            exchange,
            signing: shown.signing.iter().take(1).cloned().collect(),
        };
        assert_eq!(state(&server), KeyServerState::Same);
        tang.rotate();
        assert_eq!(state(&server), KeyServerState::Rotated);
        tang.forget_rotated();
        assert!(matches!(state(&server), KeyServerState::Gone(_)));
    }

    #[test]
    fn new_keys_are_told_of_while_the_old_ones_answer() {
        let judged = |state| {
            let label = "tang 10.0.0.5:80".to_string();
            let mut results = judge(&[KeyServerFacts { label, state }]);
            let result = results.remove(0);
            (result.severity, result.what, result.next)
        };
        let (severity, what, next) = judged(KeyServerState::Same);
        assert_eq!((severity, next.as_str()), (Severity::Fine, ""));
        assert!(what.contains("10.0.0.5"), "{what}");
        let (severity, what, next) = judged(KeyServerState::Rotated);
        assert_eq!(severity, Severity::Warning);
        assert!(what.contains("new keys"), "{what}");
        assert_eq!(next, "stayput enroll --refresh");
        let silent = KeyServerState::Gone("it cannot be reached".into());
        let (severity, what, _) = judged(silent);
        assert_eq!(severity, Severity::Warning);
        assert!(what.contains("cannot be reached"), "{what}");
        let (severity, ..) = judged(KeyServerState::Unread(
            "it answers with the error 500".into(),
        ));
        assert_eq!(severity, Severity::Warning);
        assert!(judge(&[]).is_empty(), "a place without any needs no line");
    }
}
