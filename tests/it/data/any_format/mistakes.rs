//! Every mistake with a modality from any format has its message.

use super::super::cards::load;
use super::super::{edit, message};
use super::dataset;

/// What to exchange in the card, and the whole message.
const MISTAKES: &[(&str, &str, &str)] = &[];

#[test]
fn mistakes_have_messages() {
    let mut wrong = Vec::new();
    for (from, to, expected) in MISTAKES {
        let folder = dataset();
        edit(&folder.path().join("card.toml"), from, to);
        let found = message(load(folder.path()).map(|_| "a cohort"), folder.path());
        if found != *expected {
            wrong.push(format!("{from} -> {to}\nFOUND {found}\nWANTED {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
