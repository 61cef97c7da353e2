//! The key servers: do they still have the key that was enrolled?

use super::outcome::{Finding, Verdict};
use crate::admin::tang_advertisement::advertisement;
use crate::environment::{recover_once, server_label};
use crate::vault::{KeyServer, SlotTable};

/// What one of them says now.
pub struct KeyServerFacts {
    pub label: String,
    pub standing: Standing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It answers, and shows the enrolled key.
    Same,
    /// It answers for the enrolled key still, and shows another one.
    Rotated,
    /// It does not answer for the enrolled key: why.
    Gone(String),
    /// It answers for the key, and what it shows could not be read: why.
    Unread(String),
}

/// Asks all of them, one after the other.
pub fn look(slots: &SlotTable) -> Vec<KeyServerFacts> {
    let places = slots.environments.iter();
    let servers = places.flat_map(|slot| slot.servers.iter().map(move |server| (slot, server)));
    servers
        .map(|(slot, server)| KeyServerFacts {
            label: server_label(server.address, &slot.name).to_string(),
            standing: standing(server),
        })
        .collect()
}

fn standing(server: &KeyServer) -> Standing {
    if let Err(why) = recover_once(server) {
        return Standing::Gone(why);
    }
    match advertisement(server.address, &server.signing) {
        Ok(shown) if shown.exchange.contains(&server.exchange) => Standing::Same,
        Ok(_) => Standing::Rotated,
        Err(why) => Standing::Unread(why.to_string()),
    }
}

/// Pure. Whether enough of them answer is said of the place.
pub fn judge(facts: &[KeyServerFacts]) -> Vec<Finding> {
    const NAME: &str = "key-servers";
    let findings = facts.iter().map(|KeyServerFacts { label, standing }| {
        let warning = |what, next: &str| Finding::new(NAME, Verdict::Warning, what, next);
        match standing {
            Standing::Same => {
                Finding::fine(NAME, format!("{label} answers with the enrolled key."))
            }
            Standing::Rotated => warning(
                format!(
                    "{label} has new keys. It answers for the enrolled one as long as its owner \
                     keeps that."
                ),
                "stayput enroll --refresh",
            ),
            Standing::Gone(why) => warning(
                format!("{label} does not answer for the enrolled key: {why}."),
                "Switch it on, or give it its keys back. If they are gone for good, enrol the \
                 place anew: stayput enroll --tang URL",
            ),
            Standing::Unread(why) => warning(
                format!("{label} answers, but not with a list of its keys: {why}."),
                "Look at that server: it should show its keys at /adv.",
            ),
        }
    });
    findings.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{TestTang, enrol_with_server};

    #[test]
    fn rotated_keys_are_noticed_before_the_old_ones_are_deleted() {
        let tang = TestTang::start();
        let shown = advertisement(tang.address, &[]);
        let shown = shown.unwrap_or_else(|why| panic!("{why}"));
        let exchange = shown.exchange[0].clone();
        let server = KeyServer {
            address: tang.address,
            ours: enrol_with_server(&exchange).unwrap().0,
            exchange,
            signing: shown.signing.iter().take(1).cloned().collect(),
        };
        assert_eq!(standing(&server), Standing::Same);
        tang.rotate();
        assert_eq!(standing(&server), Standing::Rotated);
        tang.forget_rotated();
        assert!(matches!(standing(&server), Standing::Gone(_)));
    }

    #[test]
    fn new_keys_are_told_of_while_the_old_ones_answer() {
        let judged = |standing| {
            let label = "tang 10.0.0.5:80".to_string();
            let mut findings = judge(&[KeyServerFacts { label, standing }]);
            let finding = findings.remove(0);
            (finding.verdict, finding.what, finding.next)
        };
        let (verdict, what, next) = judged(Standing::Same);
        assert_eq!((verdict, next.as_str()), (Verdict::Fine, ""));
        assert!(what.contains("10.0.0.5"), "{what}");
        let (verdict, what, next) = judged(Standing::Rotated);
        assert_eq!(verdict, Verdict::Warning);
        assert!(what.contains("new keys"), "{what}");
        assert_eq!(next, "stayput enroll --refresh");
        let silent = Standing::Gone("it cannot be reached".into());
        let (verdict, what, _) = judged(silent);
        assert_eq!(verdict, Verdict::Warning);
        assert!(what.contains("cannot be reached"), "{what}");
        let (verdict, ..) = judged(Standing::Unread("it answers with the error 500".into()));
        assert_eq!(verdict, Verdict::Warning);
        assert!(judge(&[]).is_empty(), "a place without any needs no line");
    }
}
