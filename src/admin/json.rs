//! What the commands print for scripts: one document a run on standard output, as
//! docs/json.md describes it.

use serde_json::{Value, json};

use crate::admin::output;
use crate::admin::problem::Problem;

/// The version of every document. It grows when a field changes its meaning or goes
/// away; fields may be added at any time.
pub const SCHEMA: u32 = 1;

/// Prints the document of a command.
///
/// # Panics
/// If `fields` is no object.
pub fn print(fields: Value) {
    output::print_document(&document(fields));
}

/// Prints why the command failed, as its document.
pub fn print_error(problem: &Problem) {
    print(json!({ "error": error(problem) }));
}

/// Why the command failed.
pub fn error(problem: &Problem) -> Value {
    json!({ "kind": problem.kind, "what": problem.what, "next": problem.next })
}

fn document(fields: Value) -> Value {
    let mut document = fields;
    document["schema"] = SCHEMA.into();
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::problem::{Exit, ProblemKind};

    #[test]
    fn every_document_says_its_schema() {
        let printed = document(json!({ "sticks": [] }));
        assert_eq!(printed, json!({ "schema": SCHEMA, "sticks": [] }));
    }

    #[test]
    fn a_script_tells_a_locked_vault_from_one_that_is_not_there() {
        let locked = Problem::new(Exit::Locked, "Not recognised.", "A stick.");
        let absent = Problem::failed("This server has no vault yet.", "stayput init")
            .of_kind(ProblemKind::NotThere);
        assert_eq!(error(&locked)["kind"], "locked");
        assert_eq!(
            error(&absent),
            json!({
                "kind": "not_there",
                "what": "This server has no vault yet.",
                "next": "stayput init",
            })
        );
    }
}
